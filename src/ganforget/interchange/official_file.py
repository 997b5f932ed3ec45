"""A GAN from an official network pickle: the whole way from the file to our networks."""

from pathlib import Path

from ganforget.interchange.assembly import build, plan_networks
from ganforget.interchange.official import file_at, read_official
from ganforget.interchange.record import training_record
from ganforget.models.gan import Gan

__all__ = ["load_official"]


def load_official(path: Path) -> Gan:
    """Return G_ema and D of a pickle of StyleGAN2-ADA, or of StyleGAN3's code with cfg=stylegan2.

    Nothing in the file is executed. Raises ModelFileError, which names an argument, class, activation, tensor or
    shape that does not fit. Takes the memory of G_ema and D, and of the file's opcodes.
    """
    with file_at(path) as (file, size):
        pickle = read_official(file, size)
        plan = plan_networks(pickle)
        return build(file, pickle, plan, training_record(path, file, pickle, plan))
