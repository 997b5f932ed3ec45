"""Picture sheets of a run, cut into tiles and embedded in the page."""

import base64
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ganforget.errors import InputError
from ganforget.report.run_files import RunFiles

__all__ = ["Sheet", "Strip", "read_sheets", "read_strips"]

LARGEST_TILE = 256
LARGEST_SHEET = 1280
PIXELATED_UP_TO = 64

STRIPS = (
    ("forgotten", "Image to forget", "a training image of the forget set"),
    ("inversion", "Inversion", "what the original GAN gave for the latent found for it"),
    ("substitute", "Substitute", "the image that is to take its place"),
    ("now", "Now", "what the same latent gives after the run"),
)

SHEETS = (("samples_before", "Before"), ("samples_after", "After"))


@dataclass(frozen=True)
class Strip:
    """One kind of picture: a tile (data URI) for each image to forget, in the order of the other strips."""

    name: str
    meaning: str
    tiles: tuple[str, ...]
    pixelated: bool


@dataclass(frozen=True)
class Sheet:
    """A sheet of samples as one data URI."""

    name: str
    uri: str
    columns: int
    rows: int
    width: int
    height: int
    pixelated: bool


def read_strips(run: RunFiles) -> list[Strip]:
    """Return the strips that the run has; InputError where one is damaged or has other sizes than stated."""
    stated = _sizes(run, "tile", "count")
    if stated is None:
        return []
    tile, count = stated
    strips = []
    for file, name, meaning in STRIPS:
        path = run.folder / "images" / f"{file}.png"
        if path.exists():
            strip = _open(path, (tile * count, tile))
            cuts = [strip.crop((tile * k, 0, tile * (k + 1), tile)) for k in range(count)]
            strips.append(Strip(name, meaning, tuple(_uri(cut, LARGEST_TILE) for cut in cuts), tile <= PIXELATED_UP_TO))
    return strips


def read_sheets(run: RunFiles) -> list[Sheet]:
    """Return the sheets of samples that the run has; InputError as for strips."""
    stated = _sizes(run, "tile", "sample_columns", "sample_rows")
    if stated is None:
        return []
    tile, columns, rows = stated
    width, height = tile * columns, tile * rows
    sheets = []
    for file, name in SHEETS:
        path = run.folder / "images" / f"{file}.png"
        if path.exists():
            uri = _uri(_open(path, (width, height)), LARGEST_SHEET)
            sheets.append(Sheet(name, uri, columns, rows, width, height, tile <= PIXELATED_UP_TO))
    return sheets


def _sizes(run: RunFiles, *names: str) -> tuple[int, ...] | None:
    stated: dict[str, Any] = run.results.get("images") or {}
    if any(stated.get(name) is None for name in names):
        return None
    values = tuple(stated[name] for name in names)
    if not all(isinstance(value, int) and not isinstance(value, bool) and value > 0 for value in values):
        raise InputError(
            f"{run.folder / 'results.json'} states impossible picture sizes {stated}; the file is damaged."
        )
    return values


def _open(path: Path, size: tuple[int, int]) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as image:
                if image.size != size:
                    found = f"{image.size[0]}x{image.size[1]}"
                    raise InputError(f"{path} is {found} pixels, expected {size[0]}x{size[1]}; it is damaged.")
                return image.convert("L" if image.mode == "L" else "RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"The picture {path} cannot be read ({error}); it may be truncated.") from error


def _uri(image: Image.Image, largest: int) -> str:
    if max(image.size) > largest:
        image.thumbnail((largest, largest))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
