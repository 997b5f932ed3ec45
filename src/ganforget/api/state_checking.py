"""``ganforget audit --state``: list what survives, and delete what can go."""

from pathlib import Path
from typing import Any

from ganforget.api.audit_options import AuditOptions
from ganforget.api.model import load_model
from ganforget.audit.state_check import find_remains
from ganforget.data import ForgetSet, cache_folder
from ganforget.errors import InputError, ModelFileError, OutputError
from ganforget.models.gan import model_hash
from ganforget.rundir import read_run_config

__all__ = ["check_state"]


def check_state(options: AuditOptions) -> dict[str, Any]:
    """Return {"folder", "original", "remains"}: each remain with its path, what it is, and whether it was deleted.

    The original is the one given, else the one that the run records. Raises InputError where the folder is none.
    """
    folder = options.state
    assert folder is not None
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder} to look into; name a run folder or a model folder.")
    config = _config(folder)
    if options.delete and config.get("command") == "train":
        raise InputError(f"{folder} is a training and not a run of unlearning; nothing of it is deleted.")
    run = config if config.get("command") == "unlearn" else {}
    name = options.original or (run.get("options") or {}).get("model")
    original = None
    if name is not None:
        try:
            original = load_model(name)
        except ModelFileError:
            if options.original is not None:
                raise
    if original is not None and run.get("model_hash") not in (None, model_hash(original)):
        if options.original is not None:
            raise InputError(f"{name} is not the model that {folder} was unlearned from; name that one.")
        original = None  # it has changed since: what is said of it would be of another GAN
    remains = find_remains(folder, original, _forgotten(folder), cache_folder("inversions"))
    listed = []
    for remain in remains:
        deleted = options.delete and remain.deletable
        if deleted:
            _delete(remain.path)
        listed.append(
            {"path": str(remain.path), "what": remain.what, "deletable": remain.deletable, "deleted": deleted}
        )
    return {"folder": str(folder), "original": name if original is not None else None, "remains": listed}


def _config(folder: Path) -> dict[str, Any]:
    """Return what the folder records of its run; nothing for a model folder."""
    try:
        return read_run_config(folder)
    except InputError:
        return {}


def _forgotten(folder: Path) -> frozenset[str]:
    """Return the hashes of the images that the run forgot; none where the folder does not say."""
    record = next((p for p in (folder / "forget_set.json", folder.parent / "forget_set.json") if p.exists()), None)
    return frozenset() if record is None else frozenset(ForgetSet.read(record).hashes)


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot delete {path} ({error.strerror}); delete it by hand.") from error
