"""The package in Python: what it exports, and its calls by options or by name."""

import inspect
from pathlib import Path
from typing import Any

import pytest

import ganforget
from ganforget.api import calls
from ganforget.errors import GanForgetError, InputError, ModelFileError
from ganforget.options import UnlearnOptions
from tiny_gan import TINY


def test_everything_exported_is_there_and_at_home_elsewhere():
    for name in ganforget.__all__:
        value = getattr(ganforget, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__module__.startswith("ganforget.")
            assert value.__doc__
    assert dir(ganforget) == sorted(ganforget.__all__)
    assert {"unlearn", "load_model", "train", "evaluate", "generate", "load_data"} <= set(ganforget.__all__)
    with pytest.raises(AttributeError, match="no attribute 'forget'"):
        _ = ganforget.forget  # type: ignore[attr-defined]


def test_every_error_is_exported():
    from ganforget import errors

    assert set(errors.__all__) <= set(ganforget.__all__)
    assert issubclass(ganforget.ModelFileError, ganforget.GanForgetError)


def test_a_model_has_g_and_d(tiny_run: Path):
    gan = ganforget.load_model(tiny_run)
    assert gan.G.c_dim == gan.D.c_dim == 10
    assert not any(parameter.requires_grad for parameter in gan.G.parameters())
    with pytest.raises(ModelFileError, match="no model digit"):
        ganforget.load_model("digit")


def test_unlearn_by_name_and_by_options(tiny_run: Path, tmp_path: Path):
    plan = ganforget.unlearn(model=tiny_run, data="digits", forget_class=7, outdir=str(tmp_path), dry_run=True)
    assert (plan.run, plan.reached) == (None, None)
    assert plan.results["classes"] == [7]
    assert plan.results["would_write"].startswith(str(tmp_path))
    options = UnlearnOptions(str(tiny_run), "digits", forget_class=(7, 3), dry_run=True)
    assert ganforget.unlearn(options).results["classes"] == [3, 7]
    assert ganforget.unlearn(options, forget_class=[1, 2]).results["classes"] == [1, 2]


def test_train_generate_and_evaluate(tmp_path: Path):
    run = ganforget.train(**TINY | {"kimg": 0.008, "outdir": str(tmp_path)})
    assert ganforget.evaluate(model=run, generations=1)["measures"]["acc"] >= 0
    assert ganforget.generate(model=run, out=str(tmp_path / "sheet.png"), classes=3) == [tmp_path / "sheet.png"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"forget_clas": 7}, "no option forget_clas. Did you mean forget_class"),
        ({"data": "digits"}, "model is missing; UnlearnOptions needs it"),
        ({"model": "digits", "data": "digits"}, "0 forget sets were given"),
        ({"model": "digits", "data": "digits", "forget_class": 7, "fake_label": "low"}, "--fake-label is 'low'"),
    ],
)
def test_options_that_cannot_be(given: dict[str, Any], words: str):
    with pytest.raises(InputError, match=words):
        ganforget.unlearn(**given)


def test_values_take_the_options_form():
    options = calls.as_options(
        UnlearnOptions, None, {"model": "m", "data": "d", "forget": "f.txt", "fake_label": -2, "data_path": None}
    )
    assert (options.forget, options.fake_label, options.data_path) == (Path("f.txt"), "-2", None)


def test_errors_have_the_exit_statuses_that_are_documented():
    statuses = {name: getattr(ganforget, name).exit_status for name in ganforget.__all__ if is_error(name)}
    assert statuses == {
        "GanForgetError": 1,
        "DownloadError": 1,
        "InputError": 2,
        "DataError": 2,
        "ForgetSetError": 2,
        "ModelFileError": 2,
        "OutputError": 2,
        "NumericalError": 4,
        "Interrupted": 130,
    }


def is_error(name: str) -> bool:
    value = getattr(ganforget, name)
    return inspect.isclass(value) and issubclass(value, GanForgetError)
