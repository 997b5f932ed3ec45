"""What a folder still holds of the original GAN, and of the forgotten images, after unlearning."""

from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError

from ganforget.inversion.cache import cached_inversions, generator_hash
from ganforget.models.gan import Gan

__all__ = ["Remain", "find_remains"]


@dataclass(frozen=True)
class Remain:
    """Something that survives in a file."""

    path: Path
    what: str
    deletable: bool
    """Whether the file can go without harm to the unlearned model; such a file is deleted whole."""


_PARTS = {
    "G_optimizer.": "moments of G's optimiser",
    "D_optimizer.": "moments of D's optimiser",
    "G_ema.": "weights of G_ema",
    "G.": "weights of G",
    "D.": "weights of D",
    "counters": "counters with ADA's state",
}

_FORGOTTEN = "pictures, among them forgotten images or what was made from their latents"
_BEFORE = "samples of the original, of a forgotten class too"


def find_remains(run: Path, original: Gan | None, forgotten: frozenset[str], cache: Path) -> list[Remain]:
    """List what ``run`` holds, and the cache of inversions of the original and the ``forgotten`` images (their hashes).

    The delivered model is compared tensor by tensor with ``original`` where that is known: a tensor that training
    changes and that is equal to the bit was not touched by unlearning. Nothing is changed.
    """
    found = _checkpoints(run) + _snapshots(run) + _pictures(run) + _latents(cache, original, forgotten)
    model = run / "model" if (run / "model").is_dir() else run
    return found + _model(model / "model.safetensors", original)


def _checkpoints(run: Path) -> list[Remain]:
    found = []
    for path in sorted((run / "checkpoint").glob("*.safetensors")):
        names = _read(path).keys()
        parts = [text for prefix, text in _PARTS.items() if any(name.startswith(prefix) for name in names)]
        what = ", ".join(parts) if parts else "a file that cannot be read"
        found.append(Remain(path, f"resume state: {what}", True))
    return found


def _snapshots(run: Path) -> list[Remain]:
    return [
        Remain(path, "a model of an earlier moment", True)
        for path in sorted((run / "snapshots").glob("*/model.safetensors"))
    ]


def _pictures(run: Path) -> list[Remain]:
    pictures = [
        Remain(path, _BEFORE if path.stem == "samples_before" else _FORGOTTEN, True)
        for path in sorted((run / "images").glob("*.png"))
        if path.stem == "samples_before" or not path.stem.startswith(("fakes", "samples"))
    ]
    report = run / "report.html"
    pages = [Remain(report, "the report, with pictures of forgotten images", True)] if report.exists() else []
    return pictures + pages


def _latents(cache: Path, original: Gan | None, forgotten: frozenset[str]) -> list[Remain]:
    """List latents of the forgotten images; those of other images and of other GANs belong to somebody else."""
    generator = None if original is None else generator_hash(original.G)
    found = []
    for entry in cached_inversions(cache):
        known = len(entry.images & forgotten)
        if entry.generator is None:
            what = "inverted latents, it does not say of which images (an older version wrote it): delete it by hand"
            found.append(Remain(entry.path, what, False))
        elif known and entry.generator == generator:
            what = f"inverted latents: the original makes {known} of the forgotten images from them"
            found.append(Remain(entry.path, what, True))
        elif known and generator is None:
            what = f"inverted latents of {known} of the forgotten images; name --original to know whether they are its"
            found.append(Remain(entry.path, what, False))
    return found


def _model(path: Path, original: Gan | None) -> list[Remain]:
    if original is None or not path.exists():
        return []
    before = {f"G_ema.{k}": v for k, v in original.G.state_dict().items()}
    before |= {f"D.{k}": v for k, v in original.D.state_dict().items()}
    same = [
        name
        for name, value in _read(path).items()
        if name in before and not _is_fixed(name) and torch.equal(value, before[name].to(value.dtype))
    ]
    found = []
    for prefix, network in (("G_ema.", "G_ema"), ("D.", "D")):
        equal = [name for name in same if name.startswith(prefix) and not name.endswith("w_avg")]
        total = sum(name.startswith(prefix) and not _is_fixed(name) for name in before)
        if equal:
            some = ", ".join(name.removeprefix(prefix) for name in equal[:3])
            what = f"{len(equal)} of {total} tensors of {network} are the original's to the bit ({some}, …)"
            found.append(Remain(path, what, False))
    if any(name.endswith("w_avg") for name in same):
        found.append(Remain(path, "w_avg, the mean latent, is the original's", False))
    return found


def _is_fixed(name: str) -> bool:
    """Whether a tensor is drawn once or constant, so that it holds nothing of the training images."""
    return name.endswith(("noise_const", "resample_filter", "filter", "kernel"))


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (OSError, SafetensorError, ValueError):
        return {}
