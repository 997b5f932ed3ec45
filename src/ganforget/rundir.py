"""Run folders: ``00000-description`` under an output folder, numbered as the StyleGAN tools do."""

import os
import platform
import re
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganforget.errors import InputError, OutputError
from ganforget.files import make_folder, read_json
from ganforget.version import __version__

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["circumstances", "new_run", "plain_options", "read_run_config", "require_place"]


def new_run(outdir: Path, description: str) -> Path:
    """Create and return the next numbered folder under ``outdir``; OutputError where that cannot be."""
    make_folder(outdir)
    numbers = [int(m.group(1)) for entry in outdir.iterdir() if (m := re.match(r"(\d{5,})-", entry.name))]
    number = max(numbers, default=-1) + 1
    while True:
        run = outdir / f"{number:05d}-{re.sub(r'[^A-Za-z0-9.+_-]+', '-', description)}"
        try:
            run.mkdir()
            return run
        except FileExistsError:
            number += 1
        except OSError as error:
            raise OutputError(f"Cannot create {run} ({error.strerror}); choose another --outdir.") from error


def plain_options(options: "DataclassInstance", *places: str) -> dict[str, Any]:
    """Return options as JSON values, with paths that hold wherever the run is gone on with.

    ``places`` are options that hold a name or a path in a string: they are made absolute where something is there.
    """
    plain = asdict(options)
    for name, value in plain.items():
        if isinstance(value, Path):
            plain[name] = str(value.absolute())
        elif isinstance(value, tuple):
            plain[name] = [str(part.absolute()) if isinstance(part, Path) else part for part in value]
        elif name in places and value is not None and Path(value).exists():
            plain[name] = str(Path(value).absolute())
    return plain


def require_place(outdir: Path) -> None:
    """Raise OutputError where a run folder under ``outdir`` could not be made; nothing is written."""
    place = outdir.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise OutputError(f"Cannot create {outdir} ({place} is no folder); choose another --outdir.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise OutputError(f"Cannot create {outdir} ({place} is not writable); choose another --outdir.")


def read_run_config(run: Path, command: str | None = None) -> dict[str, Any]:
    """Read the config.json of a run of ``command`` ("train", "unlearn" or "audit"; None: of any).

    Raises InputError where ``run`` is no run folder, or one of another command.
    """
    if not (run / "config.json").is_file():
        raise InputError(f"There is no run in {run}; expected a numbered folder that ganforget made.")
    config = read_json(run / "config.json", kind="run configuration")
    found = config.get("command") if isinstance(config, dict) else None
    if found not in ((command,) if command else ("train", "unlearn", "audit")) or not isinstance(
        config.get("options"), dict
    ):
        raise InputError(
            f"{run} is no {command or 'training, unlearning or audit'} run; expected a folder that it made."
        )
    return config


def circumstances(device: str) -> dict[str, Any]:
    """Return versions, hardware, commit and time, for a run's config.json."""
    import numpy
    import torch

    versions = {"ganforget": __version__, "python": platform.python_version()}
    versions |= {"torch": torch.__version__, "numpy": numpy.__version__}
    hardware = {"cpu": _cpu(), "cores": os.cpu_count(), "threads": torch.get_num_threads(), "device": device}
    if device.startswith("cuda"):
        hardware["gpu"] = torch.cuda.get_device_name()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {"versions": versions, "hardware": hardware, "commit": _commit(), "started": started}


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """Return the commit of the source tree that this package runs from, or None for an installed one."""
    here = Path(__file__).parent
    try:
        asked = ["git", "-C", str(here), "rev-parse", "--short=12", "HEAD"]
        found = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=False)
        tracked = subprocess.run(
            ["git", "-C", str(here), "ls-files", "--error-unmatch", Path(__file__).name],
            capture_output=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() if found.returncode == 0 and tracked.returncode == 0 else None
