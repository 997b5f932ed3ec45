"""The original and the unlearned GAN measured on the same images, latents and labels, and pictures of both."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t
from torch import Tensor

from ganforget.api.original_measures import Found, measured_once, original_key
from ganforget.api.preparation import Prepared
from ganforget.api.reconstruction import RECONSTRUCTED, reconstruction_errors
from ganforget.api.task import UnlearningTask
from ganforget.data import cache_folder, one_hot
from ganforget.evaluation.calibration import AUC_AROUND_HALF, REC_GAP_LEVEL
from ganforget.evaluation.downstream import downstream_accuracy
from ganforget.evaluation.evaluate import evaluate
from ganforget.evaluation.measures import substitution_of
from ganforget.evaluation.protocol import EvaluationProtocol
from ganforget.evaluation.reference import Reference, measure_reference
from ganforget.evaluation.samples import quantise
from ganforget.evaluation.stop_rule import AUC_DESTINATION, RECALL_DESTINATION, SUBSTITUTION_DESTINATION
from ganforget.files import make_folder, write_image_grid
from ganforget.models.gan import Gan
from ganforget.models.memory import synthesise
from ganforget.models.pictures import mean_square
from ganforget.models.scoring import Companions, companion_count, scores
from ganforget.progress import Progress
from ganforget.randomness import sample_latents
from ganforget.unlearning.cascade import Check

__all__ = ["Measured", "measure_before_and_after"]

_SHOWN_IMAGES = 16
_SHOWN_SAMPLES = 10

Measures = dict[str, float | None]


@dataclass(frozen=True, eq=False)
class Measured:
    """What results.json, scores.json and the pictures hold."""

    before: Measures
    after: Measures
    sham: Measures | None
    reached: bool
    extractor: str | None
    fd_name: str | None
    scores: dict[str, dict[str, list[float]]]
    strips: dict[str, np.ndarray]
    """Images by file name, uint8 [n, C, H, W]."""
    columns: dict[str, int]
    images: dict[str, int]
    leak: str | None
    """What D's scores tell about the forgotten images all the same, in a sentence."""
    warnings: tuple[str, ...] = field(default=())

    def write_images(self, folder: Path) -> None:
        """Write every picture as PNG."""
        make_folder(folder)
        for name, strip in self.strips.items():
            write_image_grid(folder / f"{name}.png", strip, self.columns[name])


def measure_before_and_after(
    task: UnlearningTask,
    prepared: Prepared,
    unlearned: Gan,
    sham: Gan | None,
    check: Check,
    device: torch.device,
    progress: Progress,
) -> Measured:
    """Measure the original, the unlearned and, where there is one, the sham GAN."""
    progress.stage("Measuring before and after")
    original, reference = task.original, None
    if task.splits is not None and task.forget.verified:
        reference = measure_reference(
            task.splits,
            task.forget,
            EvaluationProtocol(classifier=task.options.classifier),
            seen=task.seen,
            companions=task.companions,
            calibration=task.calibration,
            device=device,
        )
    before, scores_before = _measure_original(task, prepared, reference, progress)
    after, scores_after = _measure(task, prepared, reference, unlearned)
    sham_measures = None if sham is None else _measure(task, prepared, reference, sham)[0]
    for gan, measures in ((original, before), (unlearned, after), (sham, sham_measures)):
        if gan is not None and measures is not None:
            measures["substitution"] = _substitution(task, prepared, gan)
    after |= _reconstruct(task, unlearned, progress)
    if after.get("auc_lu") is None:
        after["auc_lu_estimate"] = check.values.get("auc_lu")
    reached = _reached(task, prepared, after, check)
    warnings = []
    if check.reached and not reached:
        warnings.append("The running estimate said that the destination was reached, the measures say that it was not.")
    said = (_learned_by_heart(task, after), _hardly_known(task, after, len(scores_after.get("holdout", []))))
    warnings += [sentence for sentence in said if sentence is not None]
    strips, columns, images = _pictures(prepared, original, unlearned)
    extractor = None if reference is None else reference.extractor
    return Measured(
        before,
        after,
        sham_measures,
        reached,
        None if extractor is None else extractor.name,
        None if extractor is None else extractor.title,
        {"before": scores_before, "after": scores_after},
        strips,
        columns,
        images,
        _leak(after),
        tuple(warnings),
    )


def _measure_original(
    task: UnlearningTask, prepared: Prepared, reference: Reference | None, progress: Progress
) -> Found:
    """Return the original's measures, which other runs of the same task may have kept."""

    def measure() -> Found:
        measures, found = _measure(task, prepared, reference, task.original)
        return measures | _reconstruct(task, task.original, progress), found

    options = task.options
    if reference is None or not options.cache:
        return measure()
    asked = {"downstream": options.downstream, "reconstruct": options.reconstruct}
    if options.reconstruct:
        asked |= {"latent": options.latent, "seed": options.seed}
    return measured_once(
        cache_folder("measures"), original_key(task.original, reference, task.companions, asked), measure
    )


def _measure(task: UnlearningTask, prepared: Prepared, reference: Reference | None, gan: Gan) -> Found:
    """Return the measures of one GAN; without data only what forget images can tell."""
    if reference is None:
        cascade = prepared.cascade
        companions = Companions(cascade.anchors.images[: companion_count(gan.D)])
        found = scores(gan.D, cascade.forget.images, cascade.forget.c, companions)
        names = ("auc_lu", "auc_lu_seen", "auc_ut", "auc_ut_error", "fd_l", "fd_floor", "acc", "fd_u", "class_recall")
        return dict.fromkeys(names), {"forget": _listed(found)}
    assert task.splits is not None
    companions = Companions(task.splits.train.tensor(task.companions))
    evaluation = evaluate(gan.G, lambda x, c: scores(gan.D, x, c, companions), reference)
    measures = dict(evaluation.measures)
    if task.options.downstream:
        measures["acc_downstream"] = downstream_accuracy(gan.G, reference)
    return measures, {k: _rounded(v) for k, v in evaluation.scores.items() if v}


def _substitution(task: UnlearningTask, prepared: Prepared, gan: Gan) -> float:
    """Return how far the forget images' latents still are from their substitutes, in parts of the distance before."""
    latents = prepared.cascade.latents
    ws = latents.ws[: latents.inverted]
    now, then = (mean_square(G, ws, prepared.substitutes) for G in (gan.G, task.original.G))
    return substitution_of(now, then)


def _listed(values: Tensor) -> list[float]:
    return _rounded(values.tolist())


def _rounded(values: list[float]) -> list[float]:
    return [round(float(v), 4) for v in values]


def _reconstruct(task: UnlearningTask, gan: Gan, progress: Progress) -> Measures:
    """Return rec_u and rec_t, where they are asked for: the error of fresh inversions of forget and holdout images."""
    if not task.options.reconstruct or task.splits is None:
        return {}
    progress.stage("Fresh inversions for rec_u and rec_t")
    return reconstruction_errors(
        gan,
        task.forget_images,
        task.splits.holdout,
        classes=task.forget.classes,
        latent=task.options.latent,
        seed=task.options.seed,
    )


def _reached(task: UnlearningTask, prepared: Prepared, after: Measures, check: Check) -> bool:
    """Say whether the measures are at the destination; an estimate serves where there are no data to measure."""
    ours = prepared.cascade.config.destination == "separated"
    on = "auc_lu_seen" if _by_learned(task) else "auc_lu"
    auc, fd_u, recall, share = (after.get(key) for key in (on, "fd_u", "class_recall", "substitution"))
    if after.get("auc_lu") is None:
        return check.reached
    assert auc is not None
    assert share is not None
    if prepared.cascade.config.destination == "calibrated":
        alike = after.get("auc_ut")
        even = check.d_reached if alike is None else abs(alike - 0.5) <= AUC_AROUND_HALF
        return even and share <= SUBSTITUTION_DESTINATION and _remade_alike(after, len(task.forget_images))
    replaced = share <= SUBSTITUTION_DESTINATION or not ours
    if task.forget.task == "item":
        return auc > AUC_DESTINATION and replaced
    assert fd_u is not None
    assert prepared.class_destination is not None
    reached = fd_u > prepared.class_destination and replaced
    if ours:
        reached = reached and auc > AUC_DESTINATION
        if task.substitute == "other-class" and recall is not None:
            reached = reached and recall <= RECALL_DESTINATION
    return reached


def _by_learned(task: UnlearningTask) -> bool:
    """Whether D's destination is over the retain images that it trains on, as the paper's may have been."""
    return task.options.preset == "paper" and task.options.mode == "few-shot"


def _learned_by_heart(task: UnlearningTask, after: Measures) -> str | None:
    """Say that the destination holds for the retain images that D trained on alone."""
    seen, unseen = after.get("auc_lu_seen"), after.get("auc_lu")
    if not _by_learned(task) or task.forget.task == "class" or seen is None or unseen is None:
        return None
    if seen <= AUC_DESTINATION or unseen > AUC_DESTINATION:
        return None
    return (
        f"D scores the forget images below the retain images that it was trained on (auc_lu_seen {seen:.2f}), but "
        f"hardly below other ones (auc_lu {unseen:.2f}): it has learned the former by heart."
    )


def _hardly_known(task: UnlearningTask, after: Measures, unseen: int) -> str | None:
    """Say that so few images tell `auc_ut` less exactly than its destination asks for."""
    area, error = after.get("auc_ut"), after.get("auc_ut_error")
    if task.config.destination != "calibrated" or area is None or error is None or 2 * error <= AUC_AROUND_HALF:
        return None
    return (
        f"auc_ut {area:.2f} is known to ±{2 * error:.2f} only (95 %), from {len(task.forget)} forget images and "
        f"{unseen} never trained on, and its destination is 0.5 ± {AUC_AROUND_HALF:g}: whether it is met is partly "
        "chance. More images never trained on (--holdout-path) or a larger forget set tell more."
    )


def _remade_alike(after: Measures, images: int) -> bool:
    """Whether fresh inversions make forget images as well as unseen ones, as far as the two were measured.

    Of few images one set may well be the easier one, so that Student's t is what the gap has to be within.
    """
    forgotten, unseen, error = (after.get(key) for key in ("rec_u", "rec_t", "rec_gap_error"))
    if forgotten is None or unseen is None or error is None:
        return True
    return abs(forgotten - unseen) <= float(t.isf(REC_GAP_LEVEL / 2, min(images, RECONSTRUCTED) - 1)) * error


def _leak(after: Measures) -> str | None:
    auc = after.get("auc_ut")
    if auc is None or auc > 0.4:
        return None
    return (
        f"auc_ut is {auc:.2f}: whoever flips the sign of D's scores tells the forgotten images from images never seen "
        f"with {1 - auc:.2f}. A GAN retrained without them gives about 0.5. Do not publish this discriminator."
    )


@torch.no_grad()
def _pictures(
    prepared: Prepared, original: Gan, unlearned: Gan
) -> tuple[dict[str, np.ndarray], dict[str, int], dict[str, int]]:
    """Return strips of forgotten images, inversions, substitutes and what the latents give now, and sample sheets."""
    cascade = prepared.cascade
    count = min(_SHOWN_IMAGES, cascade.latents.inverted)
    ws = cascade.latents.ws[:count]
    tensors = {
        "forgotten": cascade.forget.images[torch.from_numpy(prepared.inverted.images[:count])],
        "inversion": synthesise(original.G, ws),
        "substitute": prepared.substitutes[:count],
        "now": synthesise(unlearned.G, ws),
    }
    columns = dict.fromkeys(tensors, count)
    rows = original.G.c_dim or 6
    z = sample_latents(0, "pictures", range(rows * _SHOWN_SAMPLES), original.G.z_dim).to(ws.device)
    labels = np.repeat(np.arange(rows), _SHOWN_SAMPLES)
    c = one_hot(labels, rows).to(ws.device) if original.G.c_dim else None
    for name, gan in (("samples_before", original), ("samples_after", unlearned)):
        tensors[name] = synthesise(gan.G, gan.G.mapping(z, c))
        columns[name] = _SHOWN_SAMPLES
    strips = {name: quantise(images.cpu()).numpy() for name, images in tensors.items()}
    facts = {"tile": original.G.img_resolution, "count": count}
    facts |= {"sample_columns": _SHOWN_SAMPLES, "sample_rows": rows, "conditional": int(original.G.c_dim > 0)}
    return strips, columns, facts
