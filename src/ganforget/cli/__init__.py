"""The command line: options in, one of the package's calls, tables and messages out."""

from ganforget.cli.application import main

__all__ = ["main"]
