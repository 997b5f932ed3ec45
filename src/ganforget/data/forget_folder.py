"""A forget set given as a folder or ZIP of the images themselves, found in the training set by content."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from ganforget.data.dataset import ImageDataset
from ganforget.data.digits import prepare_digits
from ganforget.data.fingerprint import image_hash
from ganforget.data.folder import parse_labels
from ganforget.data.forget_set import ForgetSet, forget_at
from ganforget.data.image_files import LABEL_FILE, read_images
from ganforget.data.mirror import with_mirror_images
from ganforget.data.mnist import prepare_mnist
from ganforget.data.stored_images import image_hashes
from ganforget.data.suggestion import shortened
from ganforget.errors import ForgetSetError

__all__ = ["forget_folder", "reread_folder"]

_PREPARE = {(8, 16): prepare_digits, (28, 32): prepare_mnist}  # (size that came, size that is trained on)


def forget_folder(
    train: ImageDataset | None,
    folder: Path,
    *,
    num_classes: int = 0,
    resolution: int | None = None,
    channels: int | None = None,
    data: str = "images",
) -> ForgetSet:
    """Forget the images in a folder or ZIP, matched with ``train`` by their pixels once prepared like it.

    Original MNIST (28×28) and digits (8×8) images are prepared as the data sets are; a grey image stored as
    RGB counts as grey. Where the training set holds a picture more than once, every copy is forgotten. An
    image that is not in the training set is a ForgetSetError that names its file.

    With ``train`` None membership is unverified: the images are carried along, ``resolution`` and
    ``channels`` are the model's, and a model with ``num_classes`` needs labels, from ``dataset.json`` or from
    sub-folders named 0, 1, 2, ….
    """
    images, names, label_text = read_images(folder)
    if train is not None:
        return _match(train, _prepare(images, train.resolution, train.channels, folder), names, folder, data)
    if resolution is None or channels is None:
        raise ForgetSetError("Without training data, the resolution and channels of the model are needed; give both.")
    images = _prepare(images, resolution, channels, folder)
    hashes = [image_hash(image) for image in images]
    kept = [at for at, digest in enumerate(hashes) if digest not in hashes[:at]]
    names = tuple(names[at] for at in kept)
    selection = {
        "folder": str(folder.resolve()),
        "names": list(names),
        "resolution": resolution,
        "channels": channels,
        "num_classes": num_classes,
    }
    labels = _labels(names, label_text, folder, num_classes) if num_classes else None
    return ForgetSet("item", data, None, tuple(hashes[at] for at in kept), labels, (), selection, images[kept])


def reread_folder(saved: ForgetSet, path: Path) -> ForgetSet:
    """Fetch the images of a saved forget set of unverified membership again, and check their hashes."""
    try:
        folder = Path(saved.selection["folder"])
        expected = {name: int(saved.selection[name]) for name in ("resolution", "channels", "num_classes")}
    except (KeyError, TypeError, ValueError) as error:
        raise ForgetSetError(f"{path} is not a whole forget set: {error} is missing from how it was chosen.") from error
    found = forget_folder(None, folder, **expected, data=saved.data)
    if saved.selection.get("mirrored"):
        found = with_mirror_images(found, None)
    if found.hashes != saved.hashes or found.labels != saved.labels:
        raise ForgetSetError(f"The images in {folder} are no longer those of the forget set {path}; make it again.")
    return replace(saved, images=found.images)


def _match(train: ImageDataset, images: np.ndarray, names: tuple[str, ...], folder: Path, data: str) -> ForgetSet:
    positions: dict[str, list[int]] = {}
    for index, digest in enumerate(image_hashes(train.images)):
        positions.setdefault(digest, []).append(index)
    found = [positions.get(image_hash(image), []) for image in images]
    unknown = [name for name, indices in zip(names, found, strict=True) if not indices]
    if unknown:
        raise ForgetSetError(
            f"{len(unknown)} of {len(names)} images in {folder} are not in the training set: "
            f"{shortened(unknown)}; expected the same pixels, "
            "so an image that was resized or saved again as JPEG is not found."
        )
    indices = sorted({index for several in found for index in several})
    selection = {"folder": str(folder.resolve()), "files": len(names)}
    return forget_at(train, indices, data=data, selection=selection)


def _prepare(images: np.ndarray, resolution: int, channels: int, folder: Path) -> np.ndarray:
    """Bring uint8 images [N, C, H, H] to what the model was trained on; raise where that is not known."""
    if channels == 1 and images.shape[1] == 3 and (images == images[:, :1]).all():
        images = np.ascontiguousarray(images[:, :1])
    size = images.shape[2]
    if images.shape[1] == 1 and channels == 1 and (size, resolution) in _PREPARE:
        images = _PREPARE[size, resolution](images)
    if images.shape[1:] != (channels, resolution, resolution):
        came, wanted = ("grey" if count == 1 else "RGB" for count in (images.shape[1], channels))
        raise ForgetSetError(
            f"The images in {folder} are {size}x{size} {came}, expected {resolution}x{resolution} {wanted}; "
            "give them as the model was trained on them."
        )
    return images


def _labels(names: tuple[str, ...], text: bytes | None, folder: Path, num_classes: int) -> tuple[int, ...]:
    by_name = parse_labels(text, folder)
    if by_name is None:
        tops = {name: PurePosixPath(name).parts[0] for name in names if "/" in name}
        by_name = {name: int(top) for name, top in tops.items() if top.isascii() and top.isdigit()}
    bare = [name for name in names if name not in by_name]
    if bare:
        raise ForgetSetError(
            f"The model has classes, but {len(bare)} of {len(names)} images in {folder} have no label: "
            f"{shortened(bare)}; add a {LABEL_FILE}, "
            "or put the images into sub-folders named by class number."
        )
    beyond = [f"{name}: {by_name[name]}" for name in names if by_name[name] >= num_classes]
    if beyond:
        raise ForgetSetError(f"The model has the classes 0 to {num_classes - 1}, but {folder} has {shortened(beyond)}.")
    return tuple(by_name[name] for name in names)
