"""``python -m ganforget`` is the command ``ganforget``."""

import sys

from ganforget.cli import main

if __name__ == "__main__":
    sys.exit(main())
