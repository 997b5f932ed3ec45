"""The whole story offline: the bundled digits GAN forgets a class, and then 64 images."""

from dataclasses import replace
from pathlib import Path

from ganforget.options import Device, UnlearnOptions

__all__ = ["DEMO_CLASS", "DEMO_IMAGES", "demo_options"]

DEMO_CLASS = 7
DEMO_IMAGES = 64


def demo_options(outdir: Path = Path("runs"), *, device: Device = "auto") -> tuple[UnlearnOptions, UnlearnOptions]:
    """Return the demo's two runs: class 7 and 64 random images, default options, nothing taken from a cache."""
    common = UnlearnOptions("digits", "digits", forget_random=DEMO_IMAGES, cache=False, device=device, outdir=outdir)
    return replace(common, forget_random=None, forget_class=(DEMO_CLASS,)), common
