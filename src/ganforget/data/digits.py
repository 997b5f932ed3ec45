"""scikit-learn's handwritten digits, the embedded data set: 1,797 images of 8×8, brought to 16×16."""

import numpy as np

from ganforget.data.dataset import DataSplits, ImageDataset
from ganforget.data.split import stratified_split

__all__ = ["HOLDOUT_SHARE", "SPLIT_SEED", "load_digits", "prepare_digits"]

SPLIT_SEED = 0
"""Seed of the training/holdout split; the bundled GAN was trained on it, so it never changes."""

HOLDOUT_SHARE = 0.2


def load_digits() -> DataSplits:
    """Return the digits, uint8 [N, 1, 16, 16]: 80 % training, 20 % holdout, stratified, original order "
    "kept."""
    from sklearn import datasets  # takes a second to import

    pixels, labels = datasets.load_digits(return_X_y=True)
    grey = np.rint(pixels.reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
    names = tuple(f"digits/{i:05d}" for i in range(len(grey)))
    labels = labels.astype(np.int64)
    everything = ImageDataset(prepare_digits(grey), labels, 10, names)
    train, holdout = stratified_split(labels, HOLDOUT_SHARE, SPLIT_SEED)
    record: dict[str, object] = {
        "split": f"stratified, {HOLDOUT_SHARE:.0%} holdout",
        "split_seed": SPLIT_SEED,
        "preparation": "values 0..16 to 0..255, 8x8 to 16x16 bilinear",
    }
    return DataSplits("digits", everything.subset(train), everything.subset(holdout), record)


def prepare_digits(images: np.ndarray) -> np.ndarray:
    """Bring uint8 digits [N, 1, 8, 8] to [N, 1, 16, 16], bilinear with pixel centres at halves.

    Twice the size means weights of 3/4 and 1/4, so whole numbers give the same bytes on every machine.
    """
    return _double(_double(images.astype(np.uint16), axis=2), axis=3, shift=4)


def _double(values: np.ndarray, axis: int, shift: int = 0) -> np.ndarray:
    """Interpolate to twice the length along ``axis``, four times too large; a ``shift`` rounds back to "
    "uint8."""
    values = np.moveaxis(values, axis, -1)
    padded = np.concatenate([values[..., :1], values, values[..., -1:]], axis=-1)
    left = padded[..., :-2] + 3 * values
    right = 3 * values + padded[..., 2:]
    doubled = np.moveaxis(np.stack([left, right], axis=-1).reshape(*values.shape[:-1], -1), -1, axis)
    return ((doubled + (1 << (shift - 1))) >> shift).astype(np.uint8) if shift else doubled
