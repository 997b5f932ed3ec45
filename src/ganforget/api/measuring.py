"""The original and the unlearned GAN measured on the same images, latents and labels, and pictures of both."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganforget.api.judging import Measures, class_destination, is_reached, leak, measured_warnings
from ganforget.api.original_measures import Found, measured_once, original_key
from ganforget.api.preparation import Prepared
from ganforget.api.reconstruction import reconstruction_errors, unseen_images
from ganforget.api.task import UnlearningTask
from ganforget.data import cache_folder, one_hot
from ganforget.evaluation.downstream import downstream_accuracy
from ganforget.evaluation.evaluate import evaluate
from ganforget.evaluation.measures import substitution_of
from ganforget.evaluation.protocol import EvaluationProtocol
from ganforget.evaluation.reference import Reference, measure_reference
from ganforget.evaluation.samples import quantise
from ganforget.files import make_folder, write_image_grid
from ganforget.models.gan import Gan
from ganforget.models.memory import synthesise
from ganforget.models.pictures import mean_square
from ganforget.models.scoring import Companions, companion_count, scores
from ganforget.models.stylegan2 import Generator
from ganforget.progress import Progress
from ganforget.randomness import sample_latents
from ganforget.unlearning.cascade import Check

__all__ = ["Measured", "measure_before_and_after"]

_SHOWN_IMAGES = 16
_SHOWN_SAMPLES = 10
_SHOWN_CLASSES, _SHOWN_PIXELS = 24, 2**27
"""Most classes that samples are shown of, and most pixels of a sheet."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What results.json, scores.json and the pictures hold."""

    before: Measures
    after: Measures
    sham: Measures | None
    reached: bool
    class_destination: float | None
    """Where `fd_u` of a class has arrived, from as many images as it is measured with."""
    extractor: str | None
    fd_name: str | None
    scores: dict[str, dict[str, list[float]]]
    strips: dict[str, np.ndarray]
    """Images by file name, uint8 [n, C, H, W]."""
    columns: dict[str, int]
    images: dict[str, Any]
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
            by_label=task.by_label,
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
    destination = class_destination(prepared, reference)
    reached = is_reached(task, prepared, after, check, destination)
    warnings = []
    if check.reached and not reached:
        warnings.append("The running estimate said that the destination was reached, the measures say that it was not.")
    warnings += measured_warnings(task, after, len(scores_after.get("holdout", [])))
    strips, columns, images = _pictures(prepared, original, unlearned, task.forget.classes)
    extractor = None if reference is None else reference.extractor
    return Measured(
        before,
        after,
        sham_measures,
        reached,
        destination,
        None if extractor is None else extractor.name,
        None if extractor is None else extractor.title,
        {"before": scores_before, "after": scores_after},
        strips,
        columns,
        images,
        leak(task, after),
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
        task.forget.unmirrored_dataset(task.splits.train),
        unseen_images(task.splits.holdout, task.calibration),
        classes=task.forget.classes,
        latent=task.options.latent,
        seed=task.options.seed,
    )


@torch.no_grad()
def _pictures(
    prepared: Prepared, original: Gan, unlearned: Gan, forgotten: tuple[int, ...]
) -> tuple[dict[str, np.ndarray], dict[str, int], dict[str, Any]]:
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
    shown = _shown_classes(original.G, forgotten) if original.G.c_dim else np.arange(6)
    rows = len(shown)
    z = sample_latents(0, "pictures", range(rows * _SHOWN_SAMPLES), original.G.z_dim).to(ws.device)
    labels = np.repeat(shown, _SHOWN_SAMPLES)
    c = one_hot(labels, original.G.c_dim).to(ws.device) if original.G.c_dim else None
    for name, gan in (("samples_before", original), ("samples_after", unlearned)):
        tensors[name] = synthesise(gan.G, gan.G.mapping(z, c))
        columns[name] = _SHOWN_SAMPLES
    strips = {name: quantise(images.cpu()).numpy() for name, images in tensors.items()}
    facts = {"tile": original.G.img_resolution, "count": count}
    facts |= {"sample_columns": _SHOWN_SAMPLES, "sample_rows": rows, "conditional": int(original.G.c_dim > 0)}
    return strips, columns, facts | ({"sample_labels": shown.tolist()} if original.G.c_dim else {})


def _shown_classes(G: Generator, forgotten: tuple[int, ...]) -> np.ndarray:
    """Return the classes that samples are shown of, ascending: of very many the forgotten ones and the first others."""
    most = max(min(_SHOWN_PIXELS // (_SHOWN_SAMPLES * G.img_resolution**2), _SHOWN_CLASSES), 2)
    first = [*forgotten, *(label for label in range(G.c_dim) if label not in forgotten)]
    return np.sort(first[:most])
