"""Measuring one GAN: by itself, as to a forget set, and a run of unlearning with what it brings along."""

import json
from pathlib import Path

import numpy as np
import pytest

from ganforget.api.evaluating import evaluate_model
from ganforget.api.forgetting import make_forget_set
from ganforget.api.options import EvaluateOptions, ForgetSetOptions
from ganforget.cli import main
from ganforget.data import DataSpec, load_data
from ganforget.errors import DataError, InputError, ModelFileError
from tiny_gan import only_run, results_of, unlearning


def test_a_gan_by_itself(tiny_run: Path):
    found = evaluate_model(EvaluateOptions(str(tiny_run), generations=2))
    json.dumps(found, allow_nan=False)
    measures = found["measures"]
    assert measures.keys() == {"auc_lt", "fd_l", "fd_floor", "acc", "acc_real"}
    assert (found["n_forget"], found["task"], found["fd_name"]) == (0, None, "FD (digits-classifier)")
    assert found["data"]["subset"] == 200, "the subset that the model records"
    assert found["spread"]["fd_l"]["min"] <= measures["fd_l"] <= found["spread"]["fd_l"]["max"]
    assert found["spread"]["fd_l"]["std"] > 0
    assert found["reference"]["counts"]["holdout"] == 359
    assert evaluate_model(EvaluateOptions(str(tiny_run), generations=2)) == found


def test_a_gan_as_to_a_class(tiny_run: Path):
    found = evaluate_model(EvaluateOptions(str(tiny_run), forget_class=(7,), generations=1, reconstruct=True))
    measures = found["measures"]
    assert {"auc_lu", "auc_ut", "fd_u", "class_recall", "rec_u", "rec_t"} <= measures.keys()
    assert measures["auc_lu_seen"] is None
    assert 0 < measures["rec_u"] < 2
    assert found["classes"] == [7]


def test_a_saved_forget_set(tiny_run: Path, tmp_path: Path):
    file = tmp_path / "forget_set.json"
    chosen = make_forget_set(ForgetSetOptions("digits", data_subset=200, forget_random=8), file)
    by_file = evaluate_model(EvaluateOptions(str(tiny_run), forget=file, generations=1))
    by_choice = evaluate_model(EvaluateOptions(str(tiny_run), forget_random=8, generations=1))
    assert by_file["n_forget"] == len(chosen.forget) == 8
    assert by_file["measures"] == by_choice["measures"]


def test_a_run_brings_its_forget_set_and_gets_its_own_measures_again(tiny_unlearned: Path):
    found = evaluate_model(EvaluateOptions(str(tiny_unlearned), generations=1))
    results = results_of(tiny_unlearned)
    assert found["n_retain_seen"] == results["n_retain_seen"] == 8
    assert found["measures"] == {key: results["after"][key] for key in found["measures"]}


def test_what_a_run_calibrated_on_measures_nothing(tiny_run: Path, tmp_path: Path):
    items = ["--data", "digits", "--forget-random", "8", "--destination", "calibrated"]
    assert main([*unlearning(tiny_run, tmp_path, *items, steps=5), "--quiet"]) in (0, 3)
    run, results = only_run(tmp_path), results_of(only_run(tmp_path))
    found = evaluate_model(EvaluateOptions(str(run), generations=1))
    assert results["n_calibration"] > 0
    assert found["reference"]["counts"]["holdout"] == 359 - results["n_calibration"]
    assert found["measures"] == {key: results["after"][key] for key in found["measures"]}


def test_a_run_on_images_of_one_label_gets_its_own_measures_again(tiny_run: Path, tmp_path: Path):
    train = load_data(DataSpec("digits", subset=200)).train
    assert train.labels is not None
    (tmp_path / "eights.txt").write_text("\n".join(map(str, np.flatnonzero(train.labels == 8)[:8])))
    items = ["--data", "digits", "--forget", str(tmp_path / "eights.txt"), "--mode", "few-shot"]
    assert main([*unlearning(tiny_run, tmp_path / "runs", *items, steps=5), "--quiet"]) in (0, 3)
    run = only_run(tmp_path / "runs")
    results, found = results_of(run), evaluate_model(EvaluateOptions(str(run), generations=1))
    assert results["by_label"]
    assert found["reference"]["by_label"]
    assert found["measures"] == {key: results["after"][key] for key in found["measures"]}
    page = (run / "report.html").read_text()
    assert "images of the same label, each forget image" in page
    assert "compare each with images of its own label" in page


def test_another_seed_draws_other_images(tiny_run: Path):
    ours, theirs = (evaluate_model(EvaluateOptions(str(tiny_run), generations=1, seed=seed)) for seed in (0, 1))
    assert ours["measures"]["fd_l"] != theirs["measures"]["fd_l"]


def test_what_cannot_be_measured(tiny_run: Path, tmp_path: Path):
    with pytest.raises(InputError, match="name a forget set"):
        evaluate_model(EvaluateOptions(str(tiny_run), reconstruct=True))
    with pytest.raises(InputError, match="at most one of"):
        EvaluateOptions(str(tiny_run), forget_random=3, forget_class=(7,))
    with pytest.raises(ModelFileError, match="no classifier at"):
        evaluate_model(EvaluateOptions(str(tiny_run), classifier=tmp_path / "none"))
    with pytest.raises(InputError, match="EfficientNet-Lite0"):
        evaluate_model(
            EvaluateOptions(str(tiny_run), extractor="efficientnet_lite0", extractor_weights=tmp_path / "no")
        )
    with pytest.raises(DataError, match="no data set or path"):
        evaluate_model(EvaluateOptions(str(tiny_run), data="digitz"))


def test_a_model_that_does_not_say_where_its_data_are(tiny_run: Path, tmp_path: Path):
    config = json.loads((tiny_run / "model" / "config.json").read_text())
    config["training"] = {}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((tiny_run / "model" / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match="name them with --data"):
        evaluate_model(EvaluateOptions(str(tmp_path)))
    assert evaluate_model(EvaluateOptions(str(tmp_path), data="digits", generations=1))["data"]["train"] == 1438
