"""Lay faces ready for a small GAN: the first ones to train on, the rest as images never seen, both made smaller.

    python benchmarks/faces.py ffhq256.tar --side 64 --train 1000 --out DIR     # a tar or a folder of JPEG or PNG files
    ganforget train --data DIR/faces64.zip --holdout-path DIR/unseen64.zip --kimg 220
    ganforget reproduce table-4 --data DIR/faces64.zip --holdout-path DIR/unseen64.zip --model RUN --only item-64

docs/reproduction.md has what came of it. FFHQ's licence is not commercial: neither the ZIPs nor the GAN are in the
repository.
"""

import argparse
import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

ENDINGS = (".jpg", ".jpeg", ".png")


def faces(place: Path) -> Iterator[tuple[str, bytes]]:
    """Give the name and the bytes of every image of a tar or a folder, by name."""
    if place.is_dir():
        for path in sorted(p for p in place.rglob("*") if p.suffix.lower() in ENDINGS):
            yield path.stem, path.read_bytes()
        return
    with tarfile.open(place) as tar:
        found = {Path(m.name).stem: m for m in tar if m.isfile() and m.name.lower().endswith(ENDINGS)}
        for name in sorted(found):
            file = tar.extractfile(found[name])
            assert file is not None
            yield name, file.read()


def write(path: Path, images: list[tuple[str, bytes]], side: int) -> None:
    """Pack ``images`` as the official tool does, ``side`` pixels wide and high."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, (name, content) in enumerate(images):
            buffer = io.BytesIO()
            picture = Image.open(io.BytesIO(content)).convert("RGB")
            picture.resize((side, side), Image.Resampling.LANCZOS).save(buffer, format="PNG")
            archive.writestr(f"{number // 1000:05d}/{name}.png", buffer.getvalue())
        archive.writestr("dataset.json", '{"labels": null}')
    print(f"{path}: {len(images)} faces")


def main() -> None:
    """Write both ZIPs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", type=Path, help="tar or folder of the faces")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--train", type=int, default=1000, help="so many of the first are trained on")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    found = list(faces(arguments.faces))
    if len(found) <= arguments.train:
        parser.error(
            f"There are {len(found)} faces in {arguments.faces}; expected more than --train {arguments.train}."
        )
    arguments.out.mkdir(parents=True, exist_ok=True)
    write(arguments.out / f"faces{arguments.side}.zip", found[: arguments.train], arguments.side)
    write(arguments.out / f"unseen{arguments.side}.zip", found[arguments.train :], arguments.side)


if __name__ == "__main__":
    main()
