"""From options to a checked audit: the GANs, the forget set, the images, the attacks. Writes nothing."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ganforget.api.audit_options import AuditOptions
from ganforget.api.model import load_model
from ganforget.api.retrained import records_exclusion, require_distinct
from ganforget.api.selection import choose_forget_set, find_copies
from ganforget.api.task import load_training_data, provenance_warnings, trained_with_mirror
from ganforget.audit.attacks.registry import ATTACKS
from ganforget.audit.knowledge import FULL, QUICK
from ganforget.audit.subject import AuditSubject, audit_images
from ganforget.data import DATA_NAMES, DataSpec, DataSplits, ForgetSet, did_you_mean, image_hashes, is_random_draw
from ganforget.errors import ForgetSetError, InputError, ModelFileError
from ganforget.files import read_json
from ganforget.models.gan import Gan, model_hash
from ganforget.models.scoring import companion_count
from ganforget.rundir import read_run_config

__all__ = ["AuditTask", "resolve_audit"]

_TRAINED_HOLDOUT = 0.02
"""Most of the holdout images that may be equal to training images: data sets have a few such copies."""


@dataclass(frozen=True, eq=False)
class AuditTask:
    """Everything that an audit works on, checked."""

    options: AuditOptions
    subject: AuditSubject
    splits: DataSplits
    forget: ForgetSet
    attacks: tuple[str, ...]
    run: dict[str, Any] | None
    """The configuration of the unlearning run that is audited; None for a bare model."""
    results: dict[str, Any]
    """What its results.json says; nothing for a bare model."""
    verified: tuple[bool, ...]
    """For each retrained GAN whether it records that it was trained without the forget images."""
    warnings: tuple[str, ...]


def resolve_audit(options: AuditOptions, device: torch.device) -> AuditTask:
    """Check ``options`` and return the audit; every InputError comes from here."""
    assert options.model is not None
    run = _unlearning_run(Path(options.model))
    results = {} if run is None else _results(options)
    named, options = options.original is not None, _completed(options, run)
    assert options.model is not None
    assert options.original is not None
    unlearned, original = load_model(options.model), load_model(options.original)
    if run is not None and not named and run.get("model_hash", "") not in ("", model_hash(original)):
        raise InputError(
            f"{options.original} is no longer the model that {options.model} was unlearned from; name that one with "
            "--original."
        )
    _require_like(unlearned, original, options.original, latents=True)
    warnings = _other_original(options, run, unlearned, original)
    mirror = trained_with_mirror(original, options.mirror)
    splits = load_training_data(_data(options, original), original, mirror=mirror)
    forget = _forget_set(options, splits, original, mirror=mirror)
    retrained = [load_model(folder) for folder in options.retrained]
    verified = _verified(options, retrained, unlearned, original, forget, splits.record["train_hash"])
    warnings += [
        f"{folder} does not record what it was trained without; that it never saw them is trusted."
        for folder, known in zip(options.retrained, verified, strict=True)
        if not known
    ]
    budget = QUICK if options.quick else FULL
    attacks = _attacks(options, len(retrained))
    images = audit_images(
        splits,
        forget,
        original,
        budget,
        seed=options.seed,
        whole_holdout=options.whole_holdout,
        neighbours="relearning_neighbours" in attacks,
    )
    if not len(images.few):
        attacks = tuple(name for name in attacks if not name.startswith("relearning"))
        warnings.append("Relearning needs two forget images, and there is one: it was left out.")
    warnings += _data_warnings(forget, splits, run, original)
    warnings += _other_images(options, run, forget)
    exchangeable = is_random_draw(forget, splits.train)
    gans = [gan.to(device) for gan in (unlearned, original, *retrained)]
    subject = AuditSubject(gans[0], gans[1], tuple(gans[2:]), images, budget, options.seed, exchangeable)
    return AuditTask(options, subject, splits, forget, attacks, run, results, verified, tuple(warnings))


def _unlearning_run(folder: Path) -> dict[str, Any] | None:
    if not (folder / "results.json").exists() or not (folder / "model").is_dir():
        return None
    try:
        return read_run_config(folder, "unlearn")
    except InputError:
        return None


def _other_original(options: AuditOptions, run: dict[str, Any] | None, unlearned: Gan, original: Gan) -> list[str]:
    """Return a warning where the original is not the GAN that the unlearned one records it was made from."""
    recorded = {(run or {}).get("model_hash"), (unlearned.config.training.get("unlearned") or {}).get("original")}
    if not recorded - {None, ""} or model_hash(original) in recorded:
        return []
    return [
        f"{options.original} is not the GAN that {options.model} records it was unlearned from: what is said of the "
        "original, and whether an attack works at all, is of another GAN."
    ]


def _data_warnings(forget: ForgetSet, splits: DataSplits, run: dict[str, Any] | None, original: Gan) -> list[str]:
    """Return what speaks against these data; InputError where many unseen images were trained on."""
    begun = ((run or {}).get("data") or {}).get("train_hash")
    warnings = []
    if begun not in (None, splits.record["train_hash"]):
        warnings.append("The run was made with other training images than these data hold: check --data.")
    warnings += provenance_warnings(original, splits)
    trained = set(image_hashes(splits.train.images))
    known = sum(digest in trained for digest in image_hashes(splits.holdout.images))
    if known > _TRAINED_HOLDOUT * len(splits.holdout):
        raise InputError(
            f"{known} of the {len(splits.holdout)} images that were never trained on are training images: the data are "
            "not divided as they were, or --holdout-path names the wrong ones."
        )
    return warnings + find_copies(forget, splits, include=False, advice="")[2]


def _other_images(options: AuditOptions, run: dict[str, Any] | None, forget: ForgetSet) -> list[str]:
    """Return a warning where the forget set is not the one of the run that is audited."""
    path = Path(str(options.model)) / "forget_set.json"
    if run is None or not path.is_file():
        return []
    own, given = set(ForgetSet.read(path).hashes), set(forget.hashes)
    if own == given:
        return []
    return [
        f"The run forgot {len(own)} images, and {len(own & given)} of them are among the {len(given)} that are "
        "audited: nothing is said of the others."
    ]


def _results(options: AuditOptions) -> dict[str, Any]:
    """Return what the audited run's results.json says; InputError where its calibration is to be audited too."""
    assert options.model is not None
    results = read_json(Path(options.model) / "results.json", kind="results file")
    if options.whole_holdout and results.get("n_calibration"):
        raise InputError(
            f"{options.model} was calibrated on {results['n_calibration']} holdout images, which --whole-holdout would "
            "audit it with; leave that option out."
        )
    return results


def _completed(options: AuditOptions, run: dict[str, Any] | None) -> AuditOptions:
    """Return ``options`` with what the audited run records: original, data, forget set."""
    named = bool(options.forget_class) or options.forget_random is not None or options.forget is not None
    if run is not None:
        recorded = run["options"]
        options = replace(
            options,
            original=options.original or recorded["model"],
            data=options.data or recorded.get("data"),
            data_path=options.data_path or _path(recorded, "data_path"),
            holdout_path=options.holdout_path or _path(recorded, "holdout_path"),
            mirror=recorded.get("mirror") if options.mirror is None else options.mirror,
        )
        if not named:
            options = replace(options, forget=Path(str(options.model)) / "forget_set.json")
            named = True
    if options.original is None:
        raise InputError("--original is missing: name the GAN before unlearning, which every attack is compared with.")
    if not named:
        raise InputError("The forget set is missing: name it with --forget, --forget-random or --forget-class.")
    return options


def _path(recorded: dict[str, Any], name: str) -> Path | None:
    return Path(recorded[name]) if recorded.get(name) else None


def _data(options: AuditOptions, original: Gan) -> DataSpec:
    record = original.config.training.get("data", {})
    name = options.data or record.get("source") or record.get("name")
    if name is None:
        raise InputError(
            f"The model does not record its data; name them with --data ({', '.join(DATA_NAMES)}, a path)."
        )
    return DataSpec(str(name), options.data_path, holdout_path=options.holdout_path)


def _forget_set(options: AuditOptions, splits: DataSplits, original: Gan, *, mirror: bool) -> ForgetSet:
    forget = choose_forget_set(options, splits.train, data=splits.name, G=original.G, mirror=mirror)
    if not forget.verified:
        raise ForgetSetError("The audit needs the training data that the forget images come from; name them.")
    if original.G.c_dim and splits.train.labels is None:
        raise ForgetSetError("The model is conditional, so images need labels; add dataset.json.")
    if forget.classes and not original.G.c_dim:
        raise ForgetSetError("The model has no labels, so that no class can be audited; name its images one by one.")
    return forget


def _require_like(gan: Gan, original: Gan, name: str, *, latents: bool) -> None:
    """Raise ModelFileError where two GANs do not make and score images alike, with ``latents`` from alike latents."""
    fields = ("img_resolution", "img_channels", "c_dim", *(("z_dim", "w_dim") if latents else ()))
    found = {field: (getattr(gan.G, field), getattr(original.G, field)) for field in fields}
    found["minibatch group"] = (companion_count(gan.D) + 1, companion_count(original.D) + 1)
    for field, (have, expected) in found.items():
        if have != expected:
            raise ModelFileError(
                f"{name} has {field} {have}, the original {expected}; they are no versions of one GAN."
            )


def _verified(
    options: AuditOptions, retrained: list[Gan], unlearned: Gan, original: Gan, forget: ForgetSet, train_hash: object
) -> tuple[bool, ...]:
    """Return which retrained GANs record that they saw no forget image; InputError where one is none at all."""
    verified = []
    for folder, gan in zip(options.retrained, retrained, strict=True):
        _require_like(gan, original, str(folder), latents=bool(forget.classes))  # a class is looked for in them
        verified.append(records_exclusion(folder, gan, forget, train_hash))
    if retrained:
        audited = {"original": model_hash(original), "unlearned": model_hash(unlearned)}
        require_distinct(zip(map(str, options.retrained), map(model_hash, retrained), strict=True), audited)
    return tuple(verified)


def _attacks(options: AuditOptions, references: int) -> tuple[str, ...]:
    for name in options.attacks:
        if name not in ATTACKS:
            raise InputError(f"There is no attack {name}; expected {', '.join(ATTACKS)}.{did_you_mean(name, ATTACKS)}")
    wanted = options.attacks or [name for name, attack in ATTACKS.items() if attack.quick or not options.quick]
    able = tuple(name for name in wanted if references or not ATTACKS[name].needs_references)
    if not able:
        raise InputError(f"{', '.join(wanted)} cannot run without retrained GANs; name some with --retrained.")
    return able
