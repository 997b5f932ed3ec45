"""Choosing the forget set from options, the copies of its images elsewhere, and the retain images that go with it."""

import numpy as np

from ganforget.data import (
    DataSplits,
    Duplicates,
    ForgetSet,
    ImageDataset,
    find_duplicates,
    forget_classes,
    forget_from,
    forget_random,
    include_duplicates,
    is_random_draw,
    with_mirror_images,
)
from ganforget.errors import InputError
from ganforget.models.scoring import companion_count
from ganforget.models.stylegan2 import Discriminator, Generator
from ganforget.options import ForgetSelection, Mode
from ganforget.randomness import permutation

__all__ = ["NO_CLASSES", "choose_forget_set", "choose_retain", "compares_by_label", "find_copies"]

NO_CLASSES = "This model has no labels, so it cannot forget a class; forget images instead."


def choose_forget_set(
    selection: ForgetSelection,
    train: ImageDataset | None,
    *,
    data: str,
    G: Generator | None = None,
    mirror: bool = False,
) -> ForgetSet:
    """Return the forget set that ``selection`` names; ``train`` is None for images of unverified membership.

    ``G`` is the model that they must fit; ForgetSetError and InputError say what does not. With ``mirror``, ``train``
    is doubled by its mirror images, and so is the forget set; a count or an index is one of the images themselves.
    """
    if not mirror:
        return _choose(selection, train, data=data, G=G)
    plain = None if train is None else train.subset(np.arange(len(train) // 2))
    file = selection.forget
    if file is not None and file.suffix == ".json" and file.exists() and ForgetSet.read(file).mirrored:
        return _choose(selection, train, data=data, G=G)
    return with_mirror_images(_choose(selection, plain, data=data, G=G), train)


def _choose(selection: ForgetSelection, train: ImageDataset | None, *, data: str, G: Generator | None) -> ForgetSet:
    if selection.forget_class:
        assert train is not None
        if G is not None and G.c_dim == 0:
            raise InputError(NO_CLASSES)
        return forget_classes(train, selection.forget_class, data=data)
    if selection.forget_random is not None:
        assert train is not None
        return forget_random(train, selection.forget_random, seed=selection.seed, data=data)
    assert selection.forget is not None
    if G is None:
        return forget_from(selection.forget, train, data=data)
    fits = {"num_classes": G.c_dim, "resolution": G.img_resolution, "channels": G.img_channels}
    return forget_from(selection.forget, train, data=data, **fits)


def find_copies(
    forget: ForgetSet,
    splits: DataSplits,
    *,
    include: bool,
    advice: str = " Use --forget-duplicates to forget them too.",
) -> tuple[ForgetSet, dict[str, int], list[str]]:
    """Count copies of forget images elsewhere, and warn; ``include`` forgets those in the training set too."""
    images = forget.dataset(splits.train).images
    retain = find_duplicates(images, splits.train.images, skip=forget.indices or ())
    if include and retain.others():
        forget = include_duplicates(forget, splits.train, retain)
        images = forget.dataset(splits.train).images
        retain = find_duplicates(images, splits.train.images, skip=forget.indices or ())
    holdout = find_duplicates(images, splits.holdout.images)
    warnings = []
    if retain.others():
        warnings.append(
            f"{_copies(retain)} of images to forget stay in the training set: forgetting one copy of two is no "
            f"forgetting.{advice}"
        )
    if holdout.others():
        warnings.append(f"{_copies(holdout)} of images to forget are in the holdout set, which measures compare with.")
    counts = {"retain_exact": len(retain.exact), "retain_near": len(retain.near)}
    counts |= {"holdout_exact": len(holdout.exact), "holdout_near": len(holdout.near)}
    return forget, counts, warnings


def compares_by_label(forget: ForgetSet, splits: DataSplits | None, G: Generator) -> bool:
    """Whether each forget image is compared with others of its own label: where the set is no random draw.

    A random draw has the labels of all, and is compared with all, as the paper does; a class always with its own.
    """
    if forget.task == "class" or not G.c_dim or forget.labels is None:
        return False
    if splits is None:
        return True
    known = splits.train.labels is not None and (not len(splits.holdout) or splits.holdout.labels is not None)
    return known and not is_random_draw(forget, splits.train)


def choose_retain(
    forget: ForgetSet, splits: DataSplits, D: Discriminator, *, mode: Mode, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the retain images that few-shot sees, as many as are forgotten, and the companions of scoring."""
    retain = forget.retain_indices(splits.train)
    order = retain[permutation(seed, "retain", len(retain))]
    group = companion_count(D)
    count = len(forget) if mode == "few-shot" else 0
    if len(order) < count + group + 2:
        raise InputError(
            f"{mode} needs {count} retain images to see and {group + 2} more for scoring, but the data have "
            f"{len(order)}; forget fewer images" + (" or use --mode zero-shot." if count else ".")
        )
    return np.sort(order[:count]), np.sort(order[len(order) - group :])


def _copies(found: Duplicates) -> str:
    return f"{len(found.exact)} exact and {len(found.near)} near copies"
