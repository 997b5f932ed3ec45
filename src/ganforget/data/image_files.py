"""The images of a folder or ZIP in the official order, each looked at once and decoded again when it is needed.

As the official loader does, every file counts whose name ends as an image's does, hidden or not, nested or not, in
sorted order of name; so image 0, 1, 2, … are the official tools' image 0, 1, 2, …. A hidden file that is no image
(``._x.png`` of macOS) is left out: nothing can have been trained on it. Only plain formats are decoded, whatever a
name says, as Pillow hands some others to outside programs.
"""

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from ganforget.data.archive import FileStore, is_hidden, open_store
from ganforget.data.fingerprint import image_digest
from ganforget.data.stored_images import StoredImages
from ganforget.data.suggestion import shortened
from ganforget.data.survey_cache import read_survey, write_survey
from ganforget.errors import DataError

__all__ = ["IMAGE_SUFFIXES", "LABEL_FILE", "Survey", "read_images", "survey_images"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".pgm", ".ppm")

LABEL_FILE = "dataset.json"

LARGEST_SIDE = 1024

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM")

OnStep = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Survey:
    """What lies in a folder or ZIP, once every image has been looked at."""

    images: StoredImages | None
    """The images, undecoded; None where there are problems."""
    names: tuple[str, ...]
    """Names of all images, also of those that cannot be used, in the official order."""
    label_text: bytes | None
    problems: tuple[str, ...]
    """What cannot be used, as ``name (reason)``."""

    def require(self, root: Path, *further: str) -> StoredImages:
        """Return the images; one DataError holds all problems, and ``further`` sentences of the caller."""
        found = list(further)
        if self.problems:
            found.insert(
                0,
                f"{len(self.problems)} of the images in {root} cannot be used: {shortened(self.problems)}; "
                "expected undamaged images, all of one square size, all grey or all RGB.",
            )
        if found:
            raise DataError(" ".join(found))
        assert self.images is not None
        return self.images


def survey_images(root: Path, on_step: OnStep | None = None) -> Survey:
    """Look at every image of a folder or ZIP once, one at a time, and remember hashes and problems, no pixels.

    A problem is a file that cannot be decoded, is animated, is neither grey nor RGB (8 bits, no palette, no
    transparency), is not square, or differs from most. The hashes of large sets are kept in the download folder
    until the files change. ``on_step(done, total)`` reports progress.
    """
    store = open_store(root)
    label_text = _read_labels(root, store)
    candidates = [name for name in store.names if name.lower().endswith(_official_suffixes())]

    def decode(name: str) -> np.ndarray:
        return _decode(store.read(name))

    stamp = store.stamp()
    kept = read_survey(stamp, len(candidates))
    if kept is not None:
        counted, digests, shape = kept
        names = tuple(name for name, counts in zip(candidates, counted, strict=True) if counts)
        return Survey(StoredImages(decode, names, digests, shape), names, label_text, ())
    found: dict[str, tuple[bytes, tuple[int, ...]] | None] = {}
    problems: list[str] = []
    for number, name in enumerate(candidates):
        try:
            image = decode(name)
            found[name] = image_digest(image), image.shape
        except Exception as error:  # decoders of damaged files raise anything
            if not is_hidden(name):
                problems.append(f"{name} ({_reason(error)})")
                found[name] = None
        if on_step is not None:
            on_step(number + 1, len(candidates))
    if not found:
        raise DataError(f"{root} holds no images; expected files that end in {', '.join(IMAGE_SUFFIXES)}.")
    shapes = {name: facts[1] for name, facts in found.items() if facts is not None}
    problems += _odd_ones_out(shapes)
    if problems:
        return Survey(None, tuple(found), label_text, tuple(sorted(problems)))
    digests = np.frombuffer(b"".join(facts[0] for facts in found.values() if facts), np.uint8).reshape(-1, 32)
    channels, height, width = next(iter(shapes.values()))
    if store.stamp() == stamp:  # else a file has changed since, and its hash may be of before
        write_survey(stamp, np.array([name in found for name in candidates]), digests, (channels, height, width))
    images = StoredImages(decode, tuple(found), digests, (channels, height, width))
    return Survey(images, tuple(found), label_text, ())


def read_images(root: Path) -> tuple[np.ndarray, tuple[str, ...], bytes | None]:
    """Return the images of a small folder or ZIP in memory, uint8 [N, C, H, H], their names, the text of the labels."""
    survey = survey_images(root)
    return np.asarray(survey.require(root)), survey.names, survey.label_text


@cache
def _official_suffixes() -> tuple[str, ...]:
    return tuple(sorted({*Image.registered_extensions(), *IMAGE_SUFFIXES}))


def _read_labels(root: Path, store: FileStore) -> bytes | None:
    try:
        return store.read(LABEL_FILE) if LABEL_FILE in store.names else None
    except (OSError, ValueError) as error:
        raise DataError(f"{LABEL_FILE} in {root} cannot be read ({_reason(error)}); make it again.") from error


def _decode(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        if image.width != image.height or image.width > LARGEST_SIDE:
            raise ValueError(f"{image.width}x{image.height}, expected square and at most {LARGEST_SIDE}")
        if image.mode not in ("L", "RGB"):
            raise ValueError(f"mode {image.mode}, expected grey or RGB")
        if getattr(image, "is_animated", False):
            raise ValueError("animated")
        pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _odd_ones_out(shapes: dict[str, tuple[int, ...]]) -> list[str]:
    if not shapes:
        return []
    usual = Counter(shapes.values()).most_common(1)[0][0]
    odd = [(name, shape) for name, shape in shapes.items() if shape != usual]
    return [f"{name} ({_shape_text(shape)}, most are {_shape_text(usual)})" for name, shape in odd]


def _shape_text(shape: tuple[int, ...]) -> str:
    return f"{shape[2]}x{shape[1]} {'grey' if shape[0] == 1 else 'RGB'}"


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "not an image that can be read"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
