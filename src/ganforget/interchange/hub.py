"""``save_pretrained``, ``from_pretrained`` and ``push_to_hub`` in Hugging Face's way, with their own mixin.

What is written is a model folder, which every command takes as ``--model``. Local folders need no network.
"""

from pathlib import Path
from typing import Any, Self

from ganforget.errors import InputError, ModelFileError
from ganforget.models.gan import Gan, GanConfig, load_gan, save_gan

try:
    from huggingface_hub import ModelHubMixin, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
except ImportError as error:
    raise InputError("This needs huggingface_hub: pip install 'ganforget[hub]'.") from error

__all__ = ["PretrainedGan", "public_record"]

_FILES = ["config.json", "model.safetensors"]
_FETCHING = ("revision", "cache_dir", "force_download", "local_files_only", "token")
_PRIVATE = ("source", "path", "args", "file")


class PretrainedGan(ModelHubMixin, library_name="ganforget", tags=["stylegan2", "unlearning"]):
    """A GAN that is saved, loaded and pushed as Hugging Face's libraries do it.

    ``PretrainedGan(gan).save_pretrained(folder)``, ``PretrainedGan.from_pretrained(folder or "owner/name").gan`` and
    ``PretrainedGan(gan).push_to_hub("owner/name")``. Saved are G_ema and D; of the record of the training, what names
    places on this machine is left out.
    """

    def __init__(self, gan: Gan) -> None:
        self.gan = gan

    def _save_pretrained(self, save_directory: Path) -> None:
        config = self.gan.config
        save_gan(
            Gan(self.gan.G, self.gan.D, GanConfig(config.G, config.D, public_record(config.training))), save_directory
        )

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> Self:
        """Read a local folder, or fetch from the Hub; ModelFileError says why not. ``options`` are the mixin's."""
        try:
            return super().from_pretrained(pretrained_model_name_or_path, **options)
        except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
            name = pretrained_model_name_or_path
            raise ModelFileError(f"There is no folder {name}, and the Hub gives none: {error}") from error

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> Self:
        """Return the GAN of a model folder; from the Hub its two files are fetched, and no other."""
        folder = Path(model_id)
        if not folder.is_dir():
            wanted = {name: options.get(name) for name in _FETCHING}
            folder = Path(str(snapshot_download(model_id, allow_patterns=_FILES, **wanted)))  # type: ignore[arg-type]
        return cls(load_gan(folder))


def public_record(training: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a training without names of files and places."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cleaned(item) for key, item in value.items() if key not in _PRIVATE and not _is_place(item)}
        return [cleaned(item) for item in value if not _is_place(item)] if isinstance(value, list) else value

    return cleaned(training)


def _is_place(value: Any) -> bool:
    return isinstance(value, str) and ("/" in value or "\\" in value)
