"""Images from a trained GAN: PNG files, or one sheet with a row for each class."""

import re
from pathlib import Path

import numpy as np
import torch

from ganforget.api.model import load_model
from ganforget.api.options import GenerateOptions
from ganforget.data import one_hot
from ganforget.devices import choose_device
from ganforget.errors import InputError
from ganforget.evaluation.samples import quantise
from ganforget.files import make_folder, write_image_grid
from ganforget.models.gan import Gan
from ganforget.models.memory import inference_batch
from ganforget.progress import Progress, Silent
from ganforget.randomness import sample_latents, stream

__all__ = ["generate_images", "parse_seeds"]

_BATCH = 64
_MOST = 1_000_000


def generate_images(options: GenerateOptions, progress: Progress | None = None) -> list[Path]:
    """Generate the images of ``options`` and return the files written.

    Image s takes the latent of the stream (s, "generate"), whatever else is made with it. Raises InputError for a
    class or seeds that cannot be, ModelFileError for a damaged model, and NumericalError where pixels are not finite.
    """
    progress = progress or Silent()
    gan = load_model(options.model).to(choose_device(options.device))
    seeds = list(range(options.count)) if options.seeds is None else parse_seeds(options.seeds)
    classes = _classes(options, gan)
    sheet = options.out.suffix.lower() == ".png"
    make_folder(options.out.parent if sheet else options.out)
    progress.stage("Generating")
    images = np.concatenate([_images(gan, seeds, label, options) for label in classes])
    if sheet:
        columns = len(seeds) if len(classes) > 1 else min(len(seeds), 10)
        write_image_grid(options.out, images, columns)
        return [options.out]
    names = [_name(seed, label) for label in classes for seed in seeds]
    for number, (name, image) in enumerate(zip(names, images, strict=True)):
        write_image_grid(options.out / name, image[None], 1)
        progress.step(number + 1, len(names))
    return [options.out / name for name in names]


def parse_seeds(text: str) -> list[int]:
    """Return the seeds in a text such as ``5,7,10-20``; InputError where it is none."""
    seeds: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if not found:
            raise InputError(f"--seeds has {part!r}; expected whole numbers and ranges, such as 5,7,10-20.")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first or last - first >= _MOST:
            raise InputError(f"--seeds has the range {part.strip()}; expected one that ascends, of at most {_MOST}.")
        seeds += range(first, last + 1)
    return seeds


def _classes(options: GenerateOptions, gan: Gan) -> list[int | None]:
    c_dim = gan.G.c_dim
    if c_dim == 0 and options.classes:
        raise InputError("This model has no labels; leave --class out.")
    wrong = [label for label in options.classes if not 0 <= label < c_dim]
    if wrong:
        raise InputError(f"The model has no class {wrong[0]}; it has 0 to {c_dim - 1}.")
    return list(options.classes or range(c_dim)) if c_dim else [None]


def _name(seed: int, label: int | None) -> str:
    return f"seed{seed:05d}.png" if label is None else f"class{label}-seed{seed:05d}.png"


@torch.no_grad()
def _images(gan: Gan, seeds: list[int], label: int | None, options: GenerateOptions) -> np.ndarray:
    """Return uint8 images [n, C, H, W]."""
    G, device = gan.G, next(gan.G.parameters()).device
    parts = []
    batch = inference_batch(G, _BATCH)
    for start in range(0, len(seeds), batch):
        part = seeds[start : start + batch]
        z = torch.cat([sample_latents(seed, "generate", [0], G.z_dim) for seed in part]).to(device)
        c = None if label is None else one_hot([label] * len(part), G.c_dim).to(device)
        ws = G.mapping(z, c, truncation_psi=options.truncation)
        if options.noise_mode == "random":  # one image at a time, so that its noise is its seed's
            rows = [
                G.synthesis(w[None], noise_mode="random", generator=stream(seed, "generate/noise"))
                for w, seed in zip(ws, part, strict=True)
            ]
            images = torch.cat(rows)
        else:
            images = G.synthesis(ws, noise_mode=options.noise_mode)
        parts.append(quantise(images).numpy())
    return np.concatenate(parts)
