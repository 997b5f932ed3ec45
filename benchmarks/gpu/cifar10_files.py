"""Job 0: write CIFAR-10's official binary files from sheets of lossless WebP (1,000 images each, 25 rows of 40).

    python3 benchmarks/gpu/cifar10_files.py --sheets FOLDER --work /root/cifar10

``FOLDER`` holds ``labels.npz`` and any of ``train_00.webp`` to ``train_49.webp``, ``test_00.webp`` to ``test_09.webp``.
Call it again for the others.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

EACH, ROWS, COLUMNS, SIDE = 1000, 25, 40, 32
SHEETS = {"train": 50, "test": 10}


def images_of(sheet: Path) -> np.ndarray:
    """Return the images of a sheet, uint8 [1000, 3, 32, 32]."""
    with Image.open(sheet) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    tiles = pixels.reshape(ROWS, SIDE, COLUMNS, SIDE, 3).transpose(0, 2, 4, 1, 3)
    return tiles.reshape(EACH, 3, SIDE, SIDE)


def write_batch(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write one official file: for each image its label, then its red, green and blue planes."""
    records = np.concatenate([labels[:, None].astype(np.uint8), images.reshape(len(images), -1)], axis=1)
    path.write_bytes(np.ascontiguousarray(records).tobytes())


def without_stand_ins(images: np.ndarray, labels: np.ndarray, stand_ins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return copies in which each stand-in is the image before it (of the first one: after it)."""
    places = np.arange(len(images))
    for position in sorted(stand_ins):
        places[position] = places[position - 1] if position else 1
    return images[places], labels[places]


def main() -> None:
    """Unpack the sheets that are there; with the last of them write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheets", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    parts = options.work / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    for sheet in sorted(options.sheets.rglob("*.webp")):
        np.save(parts / f"{sheet.stem}.npy", images_of(sheet))
    for labels in options.sheets.rglob("labels.npz"):
        (options.work / "labels.npz").write_bytes(labels.read_bytes())
    wanted = {split: [parts / f"{split}_{n:02d}.npy" for n in range(count)] for split, count in SHEETS.items()}
    missing = [path.stem for paths in wanted.values() for path in paths if not path.exists()]
    if missing or not (options.work / "labels.npz").exists():
        print(f"{len(missing)} sheets are still missing, such as {', '.join(missing[:3])}.")
        return
    known = np.load(options.work / "labels.npz")
    for split, paths in wanted.items():
        images = np.concatenate([np.load(path) for path in paths])
        images, labels = without_stand_ins(images, known[f"{split}_y"], known[f"{split}_lossy"])
        names = ["test_batch"] if split == "test" else [f"data_batch_{n}" for n in range(1, 6)]
        for number, name in enumerate(names):
            chosen = slice(10_000 * number, 10_000 * (number + 1))
            write_batch(options.work / f"{name}.bin", images[chosen], labels[chosen])
    replaced = {split: [int(n) for n in known[f"{split}_lossy"]] for split in SHEETS}
    (options.work / "about.json").write_text(json.dumps({"replaced_by_neighbours": replaced}))
    print(f"CIFAR-10 lies in {options.work}.")


if __name__ == "__main__":
    main()
