"""Retrained GANs: which may stand for a GAN that never saw the forget images, and which record that they do."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganforget.api.model import BUNDLED_MODELS, find_model
from ganforget.api.training import excluded_hash
from ganforget.data import ForgetSet
from ganforget.errors import InputError
from ganforget.models.gan import Gan
from ganforget.rundir import read_run_config

__all__ = ["records_exclusion", "require_distinct"]


def require_distinct(retrained: Iterable[tuple[str, str]], audited: Mapping[str, str]) -> None:
    """Raise InputError where a retrained GAN is there twice, or is an audited one.

    ``retrained`` are folders with their `model_hash`, ``audited`` are hashes by what the GAN is to the audit.
    """
    known = {digest: f"the {role} GAN" for role, digest in audited.items()}
    for folder, digest in retrained:
        if digest in known:
            raise InputError(
                f"The retrained GAN {folder} has the weights of {known[digest]}; name GANs that were trained one by "
                "one (ganforget train --exclude, each with a --seed of its own)."
            )
        known[digest] = folder


def records_exclusion(folder: Path, gan: Gan, forget: ForgetSet, train_hash: object) -> bool:
    """Return whether ``gan`` records that it was trained without the forget images; InputError where it saw some.

    Only a training's own record counts: the images that it left out, by their digest in its model or its run. A
    training on the whole of the data with ``train_hash`` saw them all. Of a GAN that records nothing it is not known.
    """
    if str(folder) in BUNDLED_MODELS:
        raise InputError(f"{folder} was trained on all training images, so it is no retrained GAN.")
    record = gan.config.training
    run = _run(folder)
    config = None if run is None else _config(run)
    if "unlearned" in record or (config is not None and config["command"] == "unlearn"):
        raise InputError(f"{folder} was unlearned, so it is no retrained GAN; make one with ganforget train --exclude.")
    record = next((known for known in (record, config or {}) if "excluded" in known), None)
    if record is None:
        return False
    digest = record["excluded"]
    if digest is None and (record.get("data") or {}).get("train_hash") == train_hash:
        raise InputError(
            f"{folder} was trained on all of these training images, so it saw the forget images. Retrain with "
            "--exclude and this forget set."
        )
    images = forget.hashes[: forget.unmirrored]  # training mirrors by itself
    if digest == excluded_hash(replace(forget, hashes=images)):
        return True
    left_out = None if run is None else _left_out(run)
    if digest is None or left_out is None or digest != excluded_hash(left_out):
        return False
    seen = set(images) - set(left_out.hashes)
    if seen:
        raise InputError(
            f"{folder} was trained without other images: {len(seen)} of the {len(images)} forget images were in its "
            "training set. Retrain with --exclude and this forget set."
        )
    return True


def _run(folder: Path) -> Path | None:
    """Return the folder of the run whose model, or snapshot, ``folder`` means; None for a file."""
    if folder.is_file():
        return None
    place = find_model(folder).absolute().parent
    return place.parent if place.name == "snapshots" else place


def _config(run: Path) -> dict[str, Any] | None:
    try:
        return read_run_config(run)
    except InputError:
        return None


def _left_out(run: Path) -> ForgetSet | None:
    return ForgetSet.read(run / "forget_set.json") if (run / "forget_set.json").exists() else None
