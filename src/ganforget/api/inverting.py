"""The forget images' latents: inverted or out of the cache, and which of them the generator has to give up."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ganforget.api.task import UnlearningTask
from ganforget.data import ImageDataset, cache_folder, image_hash
from ganforget.errors import OutputError
from ganforget.evaluation.holdout_halves import LEAST_CALIBRATION
from ganforget.interruption import StopRequest
from ganforget.inversion.cache import generator_hash, inversion_key, read_inversion, write_inversion
from ganforget.inversion.invert import Inversion, InversionConfig, invert
from ganforget.models.latents import LatentStatistics
from ganforget.models.pictures import load_pictures
from ganforget.progress import Progress
from ganforget.randomness import permutation

__all__ = ["Inverted", "invert_forget_images"]

_CLASS_INVERSIONS = 64
_MOST_UNSEEN = 32


@dataclass(frozen=True, eq=False)
class Inverted:
    """Latents of the forget images, and which of these are to be given a substitute."""

    inversion: Inversion
    """Of all the forget images that were inverted; seconds and work are those of unseen images too."""
    substituted: Inversion
    """Those of the inverted ones that are to be given a substitute."""
    images: np.ndarray
    """Which of the forget images these are."""
    rule: str
    """Which ones these are, in words; empty where they are all."""


def invert_forget_images(
    task: UnlearningTask, statistics: LatentStatistics, progress: Progress, stop: StopRequest
) -> Inverted:
    """Invert the forget images, or take their latents from the cache, and choose which need a substitute.

    With the calibrated destination those that G_0 makes better than the median of images that it never saw: a retrained
    generator makes the others no worse. Few-shot takes these from the holdout set's calibration half; zero-shot, or
    without a holdout set, has none to compare with, and takes the better half of the forget images, or all of a few.
    """
    options, images = task.options, task.forget_images
    most = options.invert or len(images)
    if options.invert is None and task.forget.task == "class" and options.preset == "default":
        most = _CLASS_INVERSIONS
    chosen = np.sort(permutation(options.seed, "invert", len(images))[:most])
    hashes = (task.forget.hashes[at] for at in chosen)
    title = "Inverting the images to forget"
    inversion = _inverted(task, images.subset(chosen), hashes, statistics, progress, stop, title=title)
    some = task.forget.task == "item" and len(chosen) < len(images)
    inverted_rule = f"the {len(chosen)} of {len(images)} images that were inverted" if some else ""
    if task.config.destination != "calibrated" or task.config.preset != "default":
        return Inverted(inversion, inversion, chosen, inverted_rule)
    unseen = task.calibration[permutation(options.seed, "unseen", len(task.calibration))]
    unseen = unseen[: min(max(len(chosen), LEAST_CALIBRATION), _MOST_UNSEEN)]
    if len(unseen) >= LEAST_CALIBRATION:
        assert task.splits is not None
        others, title = task.splits.holdout.subset(unseen), "Inverting images never trained on"
        hashes = (image_hash(image) for image in others.images)
        beside = _inverted(task, others, hashes, statistics, progress, stop, title=title)
        work = replace(inversion.work)
        work.add(beside.work)
        inversion = replace(inversion, seconds=inversion.seconds + beside.seconds, work=work)
        bound, rule = beside.errors.median(), f"made better than the median of {len(unseen)} unseen ones"
    elif len(chosen) >= LEAST_CALIBRATION:
        bound, rule = inversion.errors.median(), "made best"
    else:
        return Inverted(inversion, inversion, chosen, inverted_rule)
    needed = torch.nonzero(inversion.errors <= torch.maximum(bound, inversion.errors.min())).flatten()
    substituted = replace(inversion, ws=inversion.ws[needed], errors=inversion.errors[needed])
    of_all = "" if len(chosen) == len(images) else f" (of {len(images)})"
    rule = f"the {len(needed)} of {len(chosen)}{of_all} images that the original {rule}"
    return Inverted(inversion, substituted, chosen[needed.cpu().numpy()], rule)


def _inverted(
    task: UnlearningTask,
    images: ImageDataset,
    hashes: Iterable[str],
    statistics: LatentStatistics,
    progress: Progress,
    stop: StopRequest,
    *,
    title: str,
) -> Inversion:
    """Invert ``images``, of these ``hashes``, or take their latents from the cache."""
    options, G = task.options, task.original.G
    labels = images.labels if G.c_dim else None
    config = InversionConfig(latent=options.latent, seed=options.seed)
    if options.micro_batch is not None:
        config = replace(config, batch_size=min(config.batch_size, options.micro_batch))
    pixels = load_pictures(images, "cpu")
    folder, key = cache_folder("inversions"), ""
    if options.cache:
        key = inversion_key(G, pixels, labels, config)
        found = read_inversion(folder, key)
        if found is not None:
            progress.note(f"Latents of {len(images)} images come from the cache ({found.seconds:.1f} s are counted).")
            device = next(G.parameters()).device
            return Inversion(found.ws.to(device), found.errors.to(device), found.seconds, found.work)
    progress.stage(title)
    inversion = invert(G, pixels, labels, statistics, config, stop=stop, on_step=progress.step)
    if options.cache:
        try:
            write_inversion(folder, key, inversion, generator=generator_hash(G), images=hashes)
        except OutputError as error:  # the work is done: not being able to keep it is no reason to stop
            progress.warn(f"The inverted latents were not kept: {error}")
    return inversion
