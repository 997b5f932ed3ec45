"""How D is watched while it forgets: companions, probes, and which few retain images it may train on."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ganforget.api.task import UnlearningTask
from ganforget.data import ImageDataset
from ganforget.evaluation.by_label import matched_by_label
from ganforget.evaluation.calibration import CalibrationCheck, labels_of
from ganforget.evaluation.protocol import mirrored
from ganforget.evaluation.stop_rule import DiscriminatorCheck
from ganforget.models.gan import Gan
from ganforget.models.pictures import Pictures, load_pictures
from ganforget.models.scoring import Companions, companion_count, head_scores, scores
from ganforget.models.stylegan2 import Discriminator
from ganforget.randomness import permutation
from ganforget.unlearning.fake_label import TOWARDS_SAMPLES, between_scores, matched_scores
from ganforget.unlearning.material import Fixed, anchor_pool, fix_images
from ganforget.unlearning.perturbation import perturbed_discriminator
from ganforget.work import Work

__all__ = ["PROBES", "folds_of", "perturbed_original", "watch_calibrated", "watch_discriminator"]

PROBES = 64
"""Samples of G_0 that probe D in zero-shot, and that say how far a perturbation has moved it."""

_FOLDS, _LEAST_IN_A_FOLD = 4, 8
"""In zero-shot each quarter of the forget images are the probes of a D that does not learn on them; fewer than 8 tell
too little."""

_WATCHED = 512
"""Most forget images, and most probes, that a check scores."""

_OF_EACH_LABEL, _MOST_UNSEEN = 16, 2048
"""Least unseen images of each label that forget images of it are compared with, and most of all of them."""

_LEAST_PROBES = 16
"""Fewest retain images kept aside that tell how D scores others: the mean of fewer passes a bound by chance."""


def perturbed_original(original: Gan, samples: Fixed, amount: float, work: Work, *, seed: int) -> Gan:
    """Return ``original`` with a D whose scores of samples of G_0 have moved by ``amount`` of their spread."""
    companions, probes = _probes(samples)

    def score(D: Discriminator) -> Tensor:
        work.d_forward += PROBES + companion_count(D)
        return scores(D, probes.images, probes.c, Companions(companions.images[:]))

    return replace(original, D=perturbed_discriminator(original.D, score, amount, seed=seed))


def watch_discriminator(
    task: UnlearningTask, forget: Fixed, samples: Fixed, work: Work
) -> tuple[Fixed | None, DiscriminatorCheck, Tensor]:
    """Return the retain images that D trains on (None in zero-shot), the check of D, and D_0's forget scores.

    Few-shot keeps half of its few retain images aside, a few as companions of every score and the others as
    probes. Zero-shot takes ``samples`` of G_0 for both: ``PROBES`` of them, then the companions; but where D is to
    score many forget images below retain images, each quarter of these are the probes of a D beside. The paper's
    preset trains on all its retain images, and is watched on these.
    """
    companions, probes = _probes(samples)
    if not len(task.seen):
        return None, *_watch_samples(task, forget, companions, probes)
    if task.options.preset == "paper":
        return _watch_learned(task, forget, companions, work)
    return _watch_aside(task, forget, companions, probes, work)


def _watch_samples(
    task: UnlearningTask, forget: Fixed, companions: Fixed, probes: Fixed
) -> tuple[DiscriminatorCheck, Tensor]:
    """Watch D on samples of G_0, or on the forget images themselves, and return D_0's forget scores as well."""
    forget_scores, before = (head_scores(task.original.D, images, companions) for images in (forget, probes))
    watched, whole = _watched(task, forget, forget_scores), task.options.preset == "paper"
    check = DiscriminatorCheck(companions, *watched, forget_scores, probes, before, whole=whole)
    return _with_folds(task, check), forget_scores


def _watch_learned(
    task: UnlearningTask, forget: Fixed, companions: Fixed, work: Work
) -> tuple[Fixed, DiscriminatorCheck, Tensor]:
    """Train on all the retain images that may be seen, and watch D on them."""
    D_0, device = task.original.D, forget.images.device
    order = permutation(task.options.seed, "probes", len(task.seen))
    retain = fix_images(D_0, *_seen(task, order, device), work)
    learned = retain.rows(torch.arange(min(len(retain), _WATCHED), device=device))
    forget_scores, before = (head_scores(D_0, images, companions) for images in (forget, learned))
    watched = _watched(task, forget, forget_scores)
    check = DiscriminatorCheck(companions, *watched, before, learned, before, whole=True, learned=True)
    return retain, check, forget_scores


def _watch_aside(
    task: UnlearningTask, forget: Fixed, companions: Fixed, probes: Fixed, work: Work
) -> tuple[Fixed, DiscriminatorCheck, Tensor]:
    """Keep half of the retain images that may be seen aside, and watch D on them."""
    D_0, device, group = task.original.D, forget.images.device, companion_count(task.original.D)
    seen = permutation(task.options.seed, "probes", len(task.seen))
    aside = min(len(seen) // 2, _WATCHED)
    retain = fix_images(D_0, *_seen(task, _apart(task, seen[:aside], seen[aside:]), device), work)
    beside = group if aside - group >= _LEAST_PROBES else 0  # of few images all are held, and samples are probes
    scored = [retain]
    if aside:
        scored.insert(0, fix_images(D_0, *_seen(task, seen[beside:aside], device), work))
    if beside:
        companions, probes = fix_images(D_0, *_seen(task, seen[:beside], device), work), scored[0]
    seen_scores = [head_scores(D_0, images, companions) for images in scored]
    forget_scores, before = (head_scores(D_0, images, companions) for images in (forget, probes))
    reference = torch.cat(seen_scores if task.forget.task == "class" else [*seen_scores, forget_scores])
    if task.by_label:  # few of the retain images have the forget images' labels
        reference = forget_scores
    watched = _watched(task, forget, forget_scores)
    return retain, DiscriminatorCheck(companions, *watched, reference, probes, before), forget_scores


def _apart(task: UnlearningTask, aside: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return those of ``others`` whose mirror images are not ``aside``; both are positions among the seen images."""
    assert task.splits is not None
    images = task.seen % (len(task.splits.train) // (2 if mirrored(task.splits) else 1))
    apart = others[~np.isin(images[others], images[aside])]
    return apart if len(apart) else others


def watch_calibrated(
    task: UnlearningTask,
    forget: Fixed,
    forget_scores: Tensor,
    samples: Fixed,
    labels: np.ndarray,
    watch: DiscriminatorCheck,
    work: Work,
) -> tuple[CalibrationCheck, Tensor, str]:
    """Return the calibrated destination's check, a fake label for each forget image, and the labels' rule in words.

    ``forget_scores`` are D_0's scores of the forget images with ``watch``'s companions; ``labels`` are those that
    samples of G_0 are drawn with.

    Few-shot aims at the calibration half of the holdout set. Zero-shot, or without a holdout set, aims between the
    forget images' own scores and those of samples of G_0.
    """
    D_0, device = task.original.D, samples.images.device
    companions, own = watch.companions, forget_scores
    watched, watched_scores = watch.watched, watch.watched_scores
    if len(task.seen) and not len(task.calibration):  # scored among real images, to be compared with samples of G_0
        companions, _ = _probes(samples)
        own = head_scores(D_0, forget, companions)
        watched, watched_scores = _watched(task, forget, own)
    if len(task.calibration):
        assert task.splits is not None
        unseen = fix_images(D_0, *_pictures(task.splits.holdout, _calibration_rows(task), D_0.c_dim, device), work)
    else:
        labels, count = (np.unique(labels_of(forget)) if task.by_label else labels), _WATCHED
        if task.by_label:
            count = min(max(_OF_EACH_LABEL * len(labels), _WATCHED), _MOST_UNSEEN)
        unseen = anchor_pool(task.original, labels, count, seed=task.options.seed + 2_000_003, work=work)
    before = head_scores(D_0, unseen, companions)
    check = CalibrationCheck(companions, watched, unseen, before, by_label=task.by_label)
    own_label = " of its label" if task.by_label else ""

    def matched(images: Fixed, found: Tensor) -> Tensor:
        if not task.by_label:
            return matched_scores(found, before)
        return matched_by_label(found, labels_of(images), before, labels_of(unseen))

    if len(task.calibration):
        rule = f"each image its own: D_0's scores of unseen holdout images{own_label}, by rank"
        return check, matched(forget, own), rule
    way = f"from D_0's score of it {TOWARDS_SAMPLES:.0%} of the way to samples of G_0{own_label}, by rank"
    stand_ins = between_scores(watched_scores, matched(watched, watched_scores))
    aims = between_scores(own, matched(forget, own))
    return replace(check, stand_ins=stand_ins), aims, f"each image its own: {way}"


def _calibration_rows(task: UnlearningTask) -> np.ndarray:
    """Return the positions of the holdout images that calibrate: of many a part, by label as many of each."""
    assert task.splits is not None
    labels = task.splits.holdout.labels
    order = task.calibration[permutation(task.options.seed, "calibration", len(task.calibration))]
    if not task.by_label or labels is None:
        return order[:_WATCHED]
    found, own = np.unique(labels[order]), labels[order]
    each = max(_WATCHED // len(found), _OF_EACH_LABEL)
    chosen = np.concatenate([np.flatnonzero(own == label)[:each] for label in found])
    return order[np.sort(chosen)[:_MOST_UNSEEN]]


def _probes(samples: Fixed) -> tuple[Fixed, Fixed]:
    """Return companions and probes out of ``samples`` of G_0: ``PROBES`` of them are probes, the rest companions."""
    rows = torch.arange(len(samples), device=samples.images.device)
    return samples.rows(rows[PROBES:]), samples.rows(rows[:PROBES])


def _with_folds(task: UnlearningTask, check: DiscriminatorCheck) -> DiscriminatorCheck:
    """Return ``check`` with the folds of the forget images, where there are enough, and where they can be."""
    ours = task.forget.task == "item" and task.config.destination == "separated" and task.options.preset == "default"
    rows = _watched_rows(task, len(task.forget)).numpy()
    images, image_of = np.unique(rows % task.forget.unmirrored, return_inverse=True)  # both sides into one fold
    if not ours or len(images) < _FOLDS * _LEAST_IN_A_FOLD:
        return check
    order = np.array_split(permutation(task.options.seed, "folds", len(images)), _FOLDS)
    return replace(check, folds=tuple(torch.from_numpy(np.flatnonzero(np.isin(image_of, part))) for part in order))


def _watched(task: UnlearningTask, forget: Fixed, forget_scores: Tensor) -> tuple[Fixed, Tensor]:
    """Return the forget images that every check scores, and D_0's scores of them: a seeded sample of many."""
    rows = _watched_rows(task, len(forget))
    return forget.rows(rows.to(forget.images.device)), forget_scores[rows]


def _watched_rows(task: UnlearningTask, count: int) -> Tensor:
    return torch.from_numpy(permutation(task.options.seed, "watched", count)[:_WATCHED].copy()).sort().values


def folds_of(task: UnlearningTask, check: DiscriminatorCheck) -> tuple[Tensor, ...]:
    """Return the folds of ``check`` as positions among all the forget images, with the other sides of each."""
    images = np.arange(len(task.forget)) % task.forget.unmirrored
    watched = images[_watched_rows(task, len(task.forget)).numpy()]
    return tuple(torch.from_numpy(np.flatnonzero(np.isin(images, watched[fold.numpy()]))) for fold in check.folds)


def _seen(task: UnlearningTask, which: np.ndarray, device: torch.device) -> tuple[Pictures, Tensor | None]:
    """Return some of the retain images that few-shot may see, and their labels."""
    assert task.splits is not None
    return _pictures(task.splits.train, task.seen[which], task.original.D.c_dim, device)


def _pictures(
    images: ImageDataset, rows: np.ndarray, c_dim: int, device: torch.device
) -> tuple[Pictures, Tensor | None]:
    """Return the images at ``rows``, and their one-hot labels where D takes them."""
    c = images.one_hot(rows) if c_dim else None
    return load_pictures(images.subset(rows), device), None if c is None else c.to(device)
