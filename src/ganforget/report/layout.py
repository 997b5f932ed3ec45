"""From a template and its content to the bytes of a page: the one setting in which every page is rendered."""

import functools
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from ganforget.report.prose import prose

__all__ = ["render_page"]


def render_page(template: str, content: dict[str, Any], *, rooms: tuple[str, ...] = ("ganforget.report",)) -> bytes:
    """Return the page in UTF-8; templates are looked for in ``rooms``, the first that has one giving it."""
    return _environment(rooms).get_template(template).render(content).encode("utf-8", errors="replace")


@functools.cache
def _environment(rooms: tuple[str, ...]) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(room) for room in rooms]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    return environment
