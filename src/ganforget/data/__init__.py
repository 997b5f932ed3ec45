"""Data sets, forget sets and duplicates."""

from ganforget.data.dataset import DataSplits, ImageDataset, image_hash, one_hot, to_tensor
from ganforget.data.source import DataSpec, class_counts, load_data

__all__ = [
    "DataSpec",
    "DataSplits",
    "ImageDataset",
    "class_counts",
    "image_hash",
    "load_data",
    "one_hot",
    "to_tensor",
]
