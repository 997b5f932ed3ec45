"""VGG16's convolutions from a local file, for the perceptual distance of λ2.

Two layouts are read: torchvision's (``features.N.weight``), with max-pooling, and the anti-aliased variant that
ST-LPIPS publishes (``net.sliceS.N.weight``), where each pool is a max-pool of stride 1, a reflected border of 2 and a
blur ``filt`` of stride 2. The features are those after the last ReLU before each pool and at the end: relu1_2, relu2_2,
relu3_3, relu4_3 and relu5_3 (Simonyan and Zisserman 2014, table 1, D). Channel counts are the file's.
"""

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, pad, relu

from ganforget.errors import InputError, ModelFileError

__all__ = ["Vgg16", "load_vgg16"]

_SLICES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
"""Positions of the convolutions in torchvision's ``features``, up to each pool."""

_BLURRED_SLICES = ((0, 2), (6, 8), (12, 14, 16), (20, 22, 24), (28, 30, 32))
_BLURS = (None, 5, 11, 19, 27)
"""The same in the anti-aliased layout, and the positions of the blurs before each slice."""

_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, of values in [0, 1]: what torchvision's weights expect."""

_SMALLEST, _SMALLEST_BLURRED = 2, 4
"""Sides that can still be halved; a reflected border of 2 needs more than 2 pixels."""


class Vgg16(nn.Module):
    """Images [N, 1 or 3, H, W] in [−1, 1] → five feature maps, fewer for images too small to be halved four times."""

    def __init__(
        self,
        slices: list[list[tuple[Tensor, Tensor]]],
        blurs: list[Tensor] | None,
        shift: Tensor,
        scale: Tensor,
    ) -> None:
        """Take each slice's convolutions as (weight, bias), the blurs of the anti-aliased variant, and the scaling."""
        super().__init__()
        self.depths = [len(part) for part in slices]
        self.blurred = blurs is not None
        for s, part in enumerate(slices):
            for i, (weight, bias) in enumerate(part):
                self.register_buffer(f"weight{s}_{i}", weight)
                self.register_buffer(f"bias{s}_{i}", bias)
        for s, blur in enumerate(blurs or (), start=1):
            self.register_buffer(f"blur{s}", blur)
        self.register_buffer("shift", shift.reshape(1, 3, 1, 1))
        self.register_buffer("scale", scale.reshape(1, 3, 1, 1))

    def forward(self, images: Tensor) -> list[Tensor]:
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise InputError(f"VGG16 got images of shape {tuple(images.shape)}; expected [N, 1 or 3, H, W].")
        x = (images.expand(-1, 3, -1, -1) - self.get_buffer("shift")) / self.get_buffer("scale")
        maps: list[Tensor] = []
        for s, depth in enumerate(self.depths):
            if s:
                if min(x.shape[2:]) < (_SMALLEST_BLURRED if self.blurred else _SMALLEST):
                    break
                x = self._pool(x, s)
            for i in range(depth):
                x = relu(conv2d(x, self.get_buffer(f"weight{s}_{i}"), self.get_buffer(f"bias{s}_{i}"), padding=1))
            maps.append(x)
        return maps

    def _pool(self, x: Tensor, s: int) -> Tensor:
        if not self.blurred:
            return max_pool2d(x, 2)
        x = pad(max_pool2d(x, 2, stride=1), (2, 2, 2, 2), mode="reflect")
        return conv2d(x, self.get_buffer(f"blur{s}"), stride=2, groups=x.shape[1])


def load_vgg16(path: Path) -> Vgg16:
    """Read VGG16 from a .safetensors or .pth file (the latter weights-only), in float32, frozen.

    Raises ModelFileError where the file is missing, damaged, or holds neither layout.
    """
    tensors = {name: value.float() for name, value in _read(path).items() if value.is_floating_point()}
    try:
        if "features.0.weight" in tensors:
            network = _plain(tensors)
        elif "net.slice1.0.weight" in tensors:
            network = _anti_aliased(tensors)
        else:
            raise ModelFileError(
                f"{path} is no VGG16: it has neither features.0.weight (torchvision) nor net.slice1.0.weight "
                "(anti-aliased); check the file."
            )
    except KeyError as error:
        raise ModelFileError(f"The VGG16 in {path} lacks {error.args[0]}; check the file.") from error
    _require_chain(network, path)
    return network.eval().requires_grad_(False)


def _plain(tensors: dict[str, Tensor]) -> Vgg16:
    slices = [[(tensors[f"features.{n}.weight"], tensors[f"features.{n}.bias"]) for n in part] for part in _SLICES]
    mean, spread = torch.tensor(_MEAN), torch.tensor(_SPREAD)
    return Vgg16(slices, None, 2 * mean - 1, 2 * spread)


def _anti_aliased(tensors: dict[str, Tensor]) -> Vgg16:
    slices = [
        [(tensors[f"net.slice{s}.{n}.weight"], tensors[f"net.slice{s}.{n}.bias"]) for n in part]
        for s, part in enumerate(_BLURRED_SLICES, start=1)
    ]
    blurs = [tensors[f"net.slice{s}.{n}.filt"] for s, n in enumerate(_BLURS, start=1) if n is not None]
    return Vgg16(slices, blurs, tensors["scaling_layer.shift"], tensors["scaling_layer.scale"])


def _require_chain(network: Vgg16, path: Path) -> None:
    """Raise ModelFileError unless each convolution takes what the one before gives, and all values are finite."""
    inside = 3
    for s, depth in enumerate(network.depths):
        if network.blurred and s and network.get_buffer(f"blur{s}").shape != (inside, 1, 3, 3):
            raise ModelFileError(f"Blur {s} of the VGG16 in {path} is not [{inside}, 1, 3, 3]; check the file.")
        for i in range(depth):
            weight, bias = network.get_buffer(f"weight{s}_{i}"), network.get_buffer(f"bias{s}_{i}")
            if weight.ndim != 4 or weight.shape[1:] != (inside, 3, 3) or bias.shape != weight.shape[:1]:
                raise ModelFileError(
                    f"Convolution {i + 1} of slice {s + 1} of the VGG16 in {path} has the shape "
                    f"{tuple(weight.shape)}; expected [n, {inside}, 3, 3]. Check the file."
                )
            inside = len(weight)
    if not all(bool(torch.isfinite(value).all()) for value in network.buffers()):
        raise ModelFileError(f"The VGG16 in {path} holds weights that are not finite; it is damaged.")


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ModelFileError(f"There is no VGG16 weights file at {path}; check the path.")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file may raise anything
        raise ModelFileError(f"The VGG16 weights file {path} is truncated or damaged ({error}).") from error
    if not isinstance(found, dict):
        raise ModelFileError(f"{path} does not hold a dictionary of weights; check the file.")
    return {name: value for name, value in found.items() if isinstance(value, Tensor)}
