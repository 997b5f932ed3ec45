"""Make the bundled digits GAN forget the class 7, and look at what is left.

python examples/forget_a_class.py [OUTDIR]
"""

import sys
from pathlib import Path

import torch

import ganforget


def main(outdir: Path) -> None:
    """Unlearn, then generate what the GAN now makes when it is asked for a 7."""
    result = ganforget.unlearn(model="digits", data="digits", forget_class=7, outdir=outdir, probe=False)
    assert result.run is not None
    before, after = result.results["before"], result.results["after"]
    print(f"reached: {result.reached} after {result.results['steps']} steps")
    for key in ("class_recall", "fd_u", "fd_l", "acc"):
        print(f"{key:12} {before[key]:8.3f} -> {after[key]:8.3f}")
    gan = ganforget.load_model(result.run)
    c = torch.eye(10)[[7] * 4]
    images = gan.G(torch.randn(4, gan.G.z_dim), c, noise_mode="const")
    print(f"{len(images)} images of the class, values {images.min():.2f} to {images.max():.2f}")
    print(f"report: {result.run / 'report.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs"))
