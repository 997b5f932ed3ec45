"""Models from elsewhere and back: import a file, export a model, and say what a file holds."""

from collections import Counter
from pathlib import Path
from typing import Any

from ganforget.api.model import find_model, load_model
from ganforget.errors import InputError, ModelFileError, OutputError
from ganforget.files import make_folder
from ganforget.interchange import describe_file, export_like, load_file
from ganforget.interchange.single_file import save_single
from ganforget.models.gan import load_gan, save_gan

__all__ = ["export_model", "import_model", "inspect"]


def import_model(file: str | Path, folder: str | Path) -> dict[str, Any]:
    """Read a network file from elsewhere, execute nothing in it, and write it as a model folder.

    Returns what is known of it. Raises ModelFileError where the file is refused, and OutputError where ``folder``
    holds something already.
    """
    file, folder = Path(file), Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} exists and is not an empty folder; choose another one.")
    gan = load_file(file)
    make_folder(folder)
    save_gan(gan, folder)
    return {"folder": str(folder), **facts_of(gan.config.G), **gan.config.training.get("imported", {})}


def export_model(model: str | Path, out: str | Path, *, like: str | Path | None = None) -> dict[str, Any]:
    """Write a model to one file: a pickle in the structure of the original ``like``, else safetensors.

    Returns the file's name, and with ``like`` what became of each tensor of the original: replaced, equal (written,
    and the same as before) or kept. Raises ModelFileError where the original is of another architecture or holds what
    could be a copy of its networks, and OutputError where ``out`` cannot be written.
    """
    out, gan = Path(out), load_model(model)
    if out.is_dir():
        raise OutputError(f"{out} is a folder; name a file.")
    if out.suffix == "":
        raise InputError(f"{out} has no ending; name it .pkl (with --like) or .safetensors.")
    make_folder(out.parent)
    if like is None:
        out = out.with_suffix(".safetensors")
        save_single(gan, out)
        return {"file": str(out), "format": "safetensors", "tensors": []}
    if out.suffix == ".safetensors":
        raise InputError(f"{out} is to be safetensors, which has no structure to be like {like}; leave --like out.")
    if not Path(like).is_file():
        raise ModelFileError(f"There is no file {like}; --like takes the original pickle.")
    placed = export_like(gan, Path(like), out)
    tensors = [{"name": p.name, "state": p.state, "numbers": p.numbers} for p in placed]
    return {"file": str(out), "format": "pickle", "counts": dict(_counts(tensors)), "tensors": tensors}


def inspect(path: str | Path) -> dict[str, Any]:
    """Return what a network file or a model folder holds, executing nothing; ``problem`` says why it is refused."""
    path = Path(path)
    if path.is_file():
        return describe_file(path)
    folder = find_model(path)
    facts: dict[str, Any] = {"file": str(folder), "kind": "a model folder", "outside": [], "outside_count": 0}
    try:
        gan = load_gan(folder)
    except ModelFileError as error:
        return {**facts, "networks": {}, "problem": str(error)}
    networks = {}
    for label, network, arguments in (("G_ema", gan.G, gan.config.G), ("D", gan.D, gan.config.D)):
        parameters = sum(p.numel() for p in network.parameters())
        networks[label] = {"tensors": len(network.state_dict()), "parameters": parameters, **facts_of(arguments)}
    images_seen = gan.config.training.get("images_seen")
    kimg = None if images_seen is None else images_seen / 1000
    return {**facts, "networks": networks, "kimg": kimg, "training": gan.config.training, "problem": None}


def facts_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the sizes among a network's arguments."""
    names = ("z_dim", "w_dim", "c_dim", "img_resolution", "img_channels")
    return {name: arguments[name] for name in names if name in arguments}


def _counts(tensors: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """Return how many tensors of each network were replaced, equal or kept."""
    counts: dict[str, Counter[str]] = {}
    for tensor in tensors:
        counts.setdefault(tensor["name"].partition(".")[0], Counter())[tensor["state"]] += 1
    return {label: dict(counter) for label, counter in counts.items()}
