"""``ganforget generate``."""

from typing import Annotated

from cyclopts import Parameter, default_name_transform

from ganforget.api.options import GenerateOptions
from ganforget.cli.session import Session

__all__ = ["generate"]


def _option(name: str) -> str:
    """Return the option of a field: --class, which Python could not call a field."""
    return {"classes": "class"}.get(name, default_name_transform(name))


def generate(
    *,
    options: Annotated[GenerateOptions, Parameter(name="*", name_transform=_option)],
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Generate images: one PNG file each, or one sheet."""
    from ganforget.api.generating import generate_images

    with session.progress() as progress:
        files = generate_images(options, progress)
    where = f" in {options.out}" if len(files) > 1 else f": {files[0]}"
    session.show(f"{len(files)} {'files' if len(files) > 1 else 'file'} written{where}")
    session.emit({"files": [str(file) for file in files]})
    return 0
