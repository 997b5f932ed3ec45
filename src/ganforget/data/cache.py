"""Where downloads lie: ``$XDG_CACHE_HOME/ganforget``, else ``~/.cache/ganforget``."""

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder(name: str) -> Path:
    """Return the download folder of the data set ``name``; it need not exist. A relative XDG_CACHE_HOME is "
    "ignored."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = named if named.is_absolute() else Path.home() / ".cache"
    return root / "ganforget" / name
