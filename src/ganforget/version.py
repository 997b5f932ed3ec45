"""The version of this package, as it was installed."""

from importlib import metadata

__all__ = ["__version__"]

try:
    __version__ = metadata.version("ganforget")
except metadata.PackageNotFoundError:
    __version__ = "0+source"  # run from a source tree that is not installed
