"""VGG16 from files: tiny ones of both layouts against the same layers in a row, and the real anti-aliased weights."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, pad

from ganforget.errors import ModelFileError
from ganforget.models.vgg import load_vgg16

WIDTHS = (2, 3, 4, 5, 6)
DEPTHS = (2, 2, 3, 3, 3)
REAL = Path(__file__).parents[2] / "shared" / "data" / "weights" / "stlpips_vgg_fp16.safetensors"


def tiny_features() -> nn.Sequential:
    """Return VGG16's layers as torchvision puts them in a row, 2 to 6 channels wide."""
    layers: list[nn.Module] = []
    inside = 3
    for width, depth in zip(WIDTHS, DEPTHS, strict=True):
        for _ in range(depth):
            layers += [nn.Conv2d(inside, width, 3, padding=1), nn.ReLU()]
            inside = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def save(tensors: dict[str, Tensor], path: Path) -> Path:
    safetensors.torch.save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    return path


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_torchvisions_layout(tmp_path: Path, images: Tensor, suffix: str):
    features = tiny_features()
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    state["classifier.0.weight"] = torch.zeros(1)  # what torchvision's file holds besides is not needed
    path = tmp_path / f"vgg16{suffix}"
    save(state, path) if suffix == ".safetensors" else torch.save(state, path)
    x = ((images + 1) / 2 - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)
    found = load_vgg16(path)(images)
    assert [tuple(m.shape) for m in found] == [(2, w, 16 >> s, 16 >> s) for s, w in enumerate(WIDTHS)]
    for tap, m in zip((4, 9, 16, 23, 30), found, strict=True):  # before each pool
        torch.testing.assert_close(m, features[:tap](x))


def anti_aliased(seed: int = 0) -> dict[str, Tensor]:
    """Return random weights of the anti-aliased layout."""
    random = torch.Generator().manual_seed(seed)
    state, inside = {}, 3
    places = ((0, 2), (6, 8), (12, 14, 16), (20, 22, 24), (28, 30, 32))
    for s, (width, part) in enumerate(zip(WIDTHS, places, strict=True), start=1):
        if s > 1:
            state[f"net.slice{s}.{(5, 11, 19, 27)[s - 2]}.filt"] = torch.rand(inside, 1, 3, 3, generator=random)
        for n in part:
            state[f"net.slice{s}.{n}.weight"] = torch.randn(width, inside, 3, 3, generator=random) / 4
            state[f"net.slice{s}.{n}.bias"] = torch.randn(width, generator=random) / 4
            inside = width
    return state | {
        "scaling_layer.shift": torch.tensor([0.1, -0.2, 0.3]).view(1, 3, 1, 1),
        "scaling_layer.scale": torch.tensor([0.5, 0.4, 0.6]).view(1, 3, 1, 1),
    }


def test_the_anti_aliased_layout(tmp_path: Path, images: Tensor):
    state = anti_aliased()
    found = load_vgg16(save(state, tmp_path / "blurred.safetensors"))(images)
    x = (images - state["scaling_layer.shift"]) / state["scaling_layer.scale"]
    expected = []
    for name in state:  # in the order of the layers
        if name.endswith("filt"):
            expected.append(x)
            if min(x.shape[2:]) < 4:
                break
            x = pad(max_pool2d(x, 2, 1), (2, 2, 2, 2), mode="reflect")
            x = conv2d(x, state[name], stride=2, groups=len(state[name]))
        elif name.endswith("weight"):
            x = conv2d(x, state[name], state[name.replace("weight", "bias")], padding=1).relu()
    assert len(found) == len(expected) == 4  # sides 16, 9, 5, 3: three cannot be halved
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_grey_images_are_three_equal_channels(tmp_path: Path, images: Tensor):
    vgg = load_vgg16(save(anti_aliased(), tmp_path / "v.safetensors"))
    torch.testing.assert_close(vgg(images[:, :1])[1], vgg(images[:, :1].repeat(1, 3, 1, 1))[1])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"net.slice2.6.weight": torch.zeros(3, 9, 3, 3)}, "Convolution 1 of slice 2"),
        ({"net.slice3.11.filt": torch.zeros(1, 1, 3, 3)}, "Blur 2"),
        ({"net.slice1.0.bias": torch.full((2,), float("nan"))}, "not finite"),
        ({"net.slice4.24.bias": None}, "lacks net.slice4.24.bias"),
        ({"net.slice1.0.weight": None}, "no VGG16"),
    ],
)
def test_a_file_that_does_not_fit(tmp_path: Path, change: dict[str, Tensor | None], words: str):
    state = {name: value for name, value in (anti_aliased() | change).items() if value is not None}
    with pytest.raises(ModelFileError, match=words):
        load_vgg16(save(state, tmp_path / "v.safetensors"))


def test_missing_and_damaged_files(tmp_path: Path):
    with pytest.raises(ModelFileError, match="no VGG16 weights file"):
        load_vgg16(tmp_path / "none.pth")
    for name, content in (("v.safetensors", b"not weights"), ("v.pth", b"not weights"), ("w.pth", b"just some text\n")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelFileError, match="truncated or damaged"):
            load_vgg16(tmp_path / name)


def test_the_real_anti_aliased_weights():
    if not REAL.exists():
        pytest.skip("the anti-aliased VGG16 weights are not beside this checkout")
    vgg = load_vgg16(REAL)
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    near, far = images + 0.02, images.flip(3)
    maps = [vgg(x) for x in (images, near, far)]
    assert [m.shape[1] for m in maps[0]] == [64, 128, 256, 512, 512]
    assert all((a - b).square().mean() < (a - c).square().mean() for a, b, c in zip(*maps, strict=True))
