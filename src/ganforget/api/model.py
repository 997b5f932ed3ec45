"""Finding and loading a trained GAN: bundled by name, in a model folder, or in a run folder."""

from importlib import resources
from pathlib import Path

from ganforget.data import did_you_mean
from ganforget.errors import ModelFileError
from ganforget.interchange.rosinality import is_rosinality, read_rosinality
from ganforget.models.gan import Gan, load_gan

__all__ = ["BUNDLED_MODELS", "find_model", "load_model"]

BUNDLED_MODELS = ("digits",)

_BUNDLED = f"the bundled {', '.join(BUNDLED_MODELS)}"


def find_model(name: str | Path) -> Path:
    """Return the model folder that ``name`` means: a bundled name, a model folder, or a run folder."""
    path = Path(name)
    if str(name) in BUNDLED_MODELS and not path.exists():
        return Path(str(resources.files("ganforget.assets") / "models" / str(name)))
    if (path / "model" / "config.json").exists():
        return path / "model"
    if path.is_dir():
        return path
    if path.exists():
        raise ModelFileError(
            f"{path} is a file; expected a model folder, a run folder, or {', '.join(BUNDLED_MODELS)}."
        )
    hint = did_you_mean(str(name), BUNDLED_MODELS)
    raise ModelFileError(
        f"There is no model {name}; expected a folder, or the bundled {', '.join(BUNDLED_MODELS)}.{hint}"
    )


def load_model(name: str | Path) -> Gan:
    """Return the trained GAN ``name``: an object with ``G`` (G_ema), ``D`` and ``config``, on the CPU.

    A ``.pt`` file is a rosinality-style checkpoint, read as weights only.
    Raises ModelFileError where there is none, or where its files are damaged.
    """
    path = Path(name)
    gan = read_rosinality(path) if path.is_file() and is_rosinality(path) else load_gan(find_model(name))
    gan.G.requires_grad_(False)
    gan.D.requires_grad_(False)
    return gan
