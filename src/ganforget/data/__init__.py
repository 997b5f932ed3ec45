"""Data sets, forget sets, and copies of forget images elsewhere in the data."""

from ganforget.data.cache import cache_folder
from ganforget.data.dataset import DataSplits, ImageDataset, one_hot, to_tensor
from ganforget.data.download import DOWNLOADS, download
from ganforget.data.duplicates import Duplicates, find_duplicates, image_distance, include_duplicates
from ganforget.data.fingerprint import image_hash
from ganforget.data.forget_folder import forget_folder
from ganforget.data.forget_selection import (
    forget_classes,
    forget_from,
    forget_indices,
    forget_names,
    forget_random,
    is_random_draw,
)
from ganforget.data.forget_set import ForgetSet
from ganforget.data.mirror import mirrored_dataset, with_mirror_images, without_mirror_images
from ganforget.data.source import DATA_NAMES, DataSpec, class_counts, load_data, take_subset
from ganforget.data.stored_images import image_hashes
from ganforget.data.suggestion import did_you_mean

__all__ = [
    "DATA_NAMES",
    "DOWNLOADS",
    "DataSpec",
    "DataSplits",
    "Duplicates",
    "ForgetSet",
    "ImageDataset",
    "cache_folder",
    "class_counts",
    "did_you_mean",
    "download",
    "find_duplicates",
    "forget_classes",
    "forget_folder",
    "forget_from",
    "forget_indices",
    "forget_names",
    "forget_random",
    "image_distance",
    "image_hash",
    "image_hashes",
    "include_duplicates",
    "is_random_draw",
    "load_data",
    "mirrored_dataset",
    "one_hot",
    "take_subset",
    "to_tensor",
    "with_mirror_images",
    "without_mirror_images",
]
