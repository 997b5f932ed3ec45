"""Decoding the images of a folder or ZIP: all of one square size, all grey or all RGB."""

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ganforget.data.archive import open_files
from ganforget.data.suggestion import shortened
from ganforget.errors import DataError

__all__ = ["IMAGE_SUFFIXES", "LABEL_FILE", "read_images"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".pgm", ".ppm")

LABEL_FILE = "dataset.json"

LARGEST_SIDE = 1024


def read_images(root: Path) -> tuple[np.ndarray, tuple[str, ...], bytes | None]:
    """Return images uint8 [N, C, H, H], C 1 or 3, their names in sorted order, and the text of the labels.

    Files of other kinds are left out. All problems are collected into one DataError: a file that cannot be
    decoded, is animated, is neither grey nor RGB (8 bits, no palette, no transparency), is not square, or
    differs from most.
    """
    decoded: dict[str, np.ndarray] = {}
    problems: list[str] = []
    with open_files(root) as (names, read):
        label_text = _read_labels(root, names, read)
        for name in names:
            if name.lower().endswith(IMAGE_SUFFIXES):
                try:
                    decoded[name] = _decode(read(name))
                except Exception as error:  # decoders of damaged files raise anything
                    problems.append(f"{name} ({_reason(error)})")
    if not decoded and not problems:
        raise DataError(f"{root} holds no images; expected files that end in {', '.join(IMAGE_SUFFIXES)}.")
    problems += _odd_ones_out(decoded)
    if problems:
        raise DataError(
            f"{len(problems)} of the images in {root} cannot be used: {shortened(sorted(problems))}; "
            "expected undamaged images, all of one square size, all grey or all RGB."
        )
    return np.stack(list(decoded.values())), tuple(decoded), label_text


def _read_labels(root: Path, names: list[str], read: Callable[[str], bytes]) -> bytes | None:
    try:
        return read(LABEL_FILE) if LABEL_FILE in names else None
    except (OSError, ValueError) as error:
        raise DataError(f"{LABEL_FILE} in {root} cannot be read ({_reason(error)}); make it again.") from error


def _decode(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        if image.width != image.height or image.width > LARGEST_SIDE:
            raise ValueError(f"{image.width}x{image.height}, expected square and at most {LARGEST_SIDE}")
        if image.mode not in ("L", "RGB"):
            raise ValueError(f"mode {image.mode}, expected grey or RGB")
        if getattr(image, "is_animated", False):
            raise ValueError("animated")
        pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _odd_ones_out(decoded: dict[str, np.ndarray]) -> list[str]:
    if not decoded:
        return []
    usual = Counter(image.shape for image in decoded.values()).most_common(1)[0][0]
    odd = [(name, image.shape) for name, image in decoded.items() if image.shape != usual]
    return [f"{name} ({_shape_text(shape)}, most are {_shape_text(usual)})" for name, shape in odd]


def _shape_text(shape: tuple[int, ...]) -> str:
    return f"{shape[2]}x{shape[1]} {'grey' if shape[0] == 1 else 'RGB'}"


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image that can be read"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
