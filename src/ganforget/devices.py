"""The one place that chooses a device."""

import torch

from ganforget.errors import InputError

__all__ = ["choose_device"]


def choose_device(name: str) -> torch.device:
    """Return the device for auto (CUDA where there is one), cpu or cuda."""
    if name == "auto":
        return _exact(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device is cuda, but PyTorch finds no CUDA device here; use cpu or auto.")
    return _exact(torch.device(name))


def _exact(device: torch.device) -> torch.device:
    """Have float32 be float32 on CUDA, as the official networks do: TF32 rounds like half precision."""
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return device
