"""Sentences out of result files on a page: what stands between backticks is code."""

import re

from markupsafe import Markup, escape

__all__ = ["prose"]


def prose(sentence: str) -> Markup:
    """Return ``sentence`` as HTML, escaped, with `…` as code; a backtick without its partner stays as it is.

    The hyphen before a number becomes a minus.
    """
    sentence = re.sub(r"(?<!\w)-(?=\d)", "−", str(sentence))
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return escape(sentence)
    marked = (Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts))
    return Markup("").join(marked)
