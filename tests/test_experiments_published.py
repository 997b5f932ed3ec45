"""Which setting each printed number belongs to: a few cells of every table, looked up in the paper by hand."""

import pytest

from ganforget.experiments.published import ITEM_SUBSTITUTES, Setting, published, retraining_seconds

CELLS = [
    (2, Setting("mnist", 64, "few-shot", ("average",)), {"before.fd_l": 3.30, "after.fd_l": 3.43, "seconds": 360.84}),
    (2, Setting("mnist", 256, "few-shot", ("truncation",)), {"after.fd_l": 5.01, "after.acc": 0.86}),
    (2, Setting("mnist", 1024, "zero-shot", ("truncation",)), {"after.auc_lu": 0.80, "seconds": 58558.20}),
    (3, Setting("cifar10", 256, "zero-shot", ("average",)), {"after.auc_lu": 0.79, "seconds": 11553.41}),
    (4, Setting("ffhq", 1024, "few-shot", ("average",)), {"before.fd_l": 12.42, "after.fd_l": 16.61}),
    (5, Setting("mnist", None, "zero-shot", ("other-class",)), {"after.fd_u": 183.09, "after.fd_l": 8.89}),
    (6, Setting("cifar10", None, "few-shot", ("other-class",)), {"after.acc": 0.73, "seconds": 64304.34}),
    (7, Setting("mnist", 64, "zero-shot", ITEM_SUBSTITUTES, 0.5), {"after.auc_lu": 0.32, "after.fd_l": 23.17}),
    (8, Setting("cifar10", 64, "few-shot", ITEM_SUBSTITUTES, -1.0), {"after.acc": 0.67}),
    (9, Setting("cifar10", 256, "few-shot", ITEM_SUBSTITUTES, lambda2=0.5), {"after.fd_l": 20.35, "after.acc": 0.69}),
    (10, Setting("cifar10", None, "few-shot", ("other-class",), lambda2=1.0), {"after.auc_lu": 0.79}),
    (11, Setting("mnist", 256, "few-shot", ("projection",)), {"before.auc_ut": 0.620, "after.auc_ut": 0.230}),
    (11, Setting("mnist", None, "zero-shot", ("other-class",)), {"after.auc_ut": 0.522}),
    (12, Setting("cifar10", 1024, "zero-shot", ("truncation",)), {"after.auc_ut": 0.166}),
    (13, Setting("ffhq", 256, "few-shot", ("average",)), {"before.auc_ut": 0.68, "after.auc_ut": 0.55}),
    (14, Setting("cifar10", None, "few-shot", ("average",), lambda2=0.5), {"retrained.fd_l": 6.26, "saving": 32.44}),
]


@pytest.mark.parametrize(("table", "setting", "values"), CELLS)
def test_a_cell_is_where_the_paper_has_it(table: int, setting: Setting, values: dict[str, float]):
    (found,) = [row for row in published(table) if row.setting == setting]
    assert values.items() <= found.values.items()


def test_tables_have_all_their_columns():
    counts = {table: len(published(table)) for table in range(2, 15)}
    assert counts == {2: 18, 3: 18, 4: 3, 5: 4, 6: 4, 7: 6, 8: 6, 9: 9, 10: 6, 11: 22, 12: 22, 13: 3, 14: 8}


def test_retraining_is_that_of_the_same_forget_set():
    assert retraining_seconds(Setting("cifar10", 1024, "zero-shot", ("average",))) == 69956.67
    assert retraining_seconds(Setting("mnist", None, "few-shot", ("other-class",))) == 70833.25
    assert retraining_seconds(Setting("ffhq", 64, "few-shot", ("average",))) is None


def test_names_tell_settings_apart():
    for table in range(2, 15):
        names = [(row.setting.dataset, row.setting.name) for row in published(table)]
        assert len(set(names)) == len(names)
    assert Setting("mnist", 64, "zero-shot", ITEM_SUBSTITUTES, -1.0).name == "item-64 zero-shot mean F=-1"
