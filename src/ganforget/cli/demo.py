"""``ganforget demo``."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ganforget.cli.session import Session
from ganforget.cli.tables import measures_table, verdict_lines
from ganforget.cli.unlearn import NOT_REACHED
from ganforget.options import Device

__all__ = ["demo"]


def demo(
    *,
    outdir: Path = Path("runs"),
    device: Device = "auto",
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Watch the bundled digits GAN forget a class, and then 64 images; offline, in minutes, with nothing cached.

    Parameters
    ----------
    outdir:
        Where the runs' numbered folders are made.
    device:
        Where it runs; auto is CUDA where there is one.
    """
    from ganforget.api.demo import demo_options
    from ganforget.api.unlearning import run_unlearning
    from ganforget.report.verdict import request

    results = []
    for options in demo_options(outdir, device=device):
        with session.progress() as progress:
            result = run_unlearning(options, progress)
        results.append(result)
        title = f"The digits GAN, asked to unlearn {request(result.results)}"
        session.show("", measures_table(result.results, title), "", *verdict_lines(result.results, str(result.run)), "")
    session.emit([{"run": str(result.run), **result.results} for result in results])
    return 0 if all(result.reached for result in results) else NOT_REACHED
