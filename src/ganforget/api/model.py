"""Finding and loading a trained GAN: bundled by name, in a model or run folder, or in a file from elsewhere."""

from importlib import resources
from pathlib import Path

from ganforget.data import did_you_mean
from ganforget.errors import ModelFileError
from ganforget.interchange import load_file
from ganforget.models.gan import Gan, load_gan

__all__ = ["BUNDLED_MODELS", "find_model", "load_model"]

BUNDLED_MODELS = ("digits",)


def find_model(name: str | Path) -> Path:
    """Return the model folder that ``name`` means: a bundled name, a model folder, or a run folder."""
    path = Path(name)
    if str(name) in BUNDLED_MODELS and not path.exists():
        return Path(str(resources.files("ganforget.assets") / "models" / str(name)))
    if (path / "model" / "config.json").exists():
        return path / "model"
    if path.is_dir():
        return path
    hint = did_you_mean(str(name), BUNDLED_MODELS)
    raise ModelFileError(
        f"There is no model {name}; expected a folder, a file, or the bundled {', '.join(BUNDLED_MODELS)}.{hint}"
    )


def load_model(name: str | Path) -> Gan:
    """Return the trained GAN ``name``: an object with ``G`` (G_ema), ``D`` and ``config``, on the CPU.

    A file (an official network pickle, say) is read without executing anything in it. Raises ModelFileError where
    there is none, or where its files are damaged or of no kind that is known.
    """
    gan = load_file(Path(name)) if Path(name).is_file() else load_gan(find_model(name))
    gan.G.requires_grad_(False)
    gan.D.requires_grad_(False)
    return gan
