"""Networks from elsewhere: read without executing anything, and written back into their own structure.

`kinds` knows every kind of file by its first bytes; a new kind is one more entry there.
"""

from ganforget.interchange.kinds import describe_file, load_file
from ganforget.interchange.like import export_like

__all__ = ["describe_file", "export_like", "load_file"]
