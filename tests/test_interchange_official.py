"""Official network pickles through the whole reader: the goldens' activations, both eras, and everything strict."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from ganforget.interchange import load_file as load_gan_file
from ganforget.models.gan import Gan, GanConfig, build_gan
from official_pickles import contents, dumps, source_text
from test_golden import GOLDEN, NAMES, TOLERANCE, labels, relative_error


def golden_gan(name: str) -> Gan:
    facts = json.loads((GOLDEN / f"{name}.json").read_text())
    gan = build_gan(GanConfig(facts["G_init_kwargs"], facts["D_init_kwargs"]))
    tensors = load_file(GOLDEN / f"{name}.safetensors")
    for network, prefix in ((gan.G, "G_ema."), (gan.D, "D.")):
        network.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    return gan


def write(folder: Path, snapshot: dict[str, Any], protocol: int = 4, name: str = "network-snapshot-025000.pkl") -> Path:
    path = folder / name
    path.write_bytes(dumps(snapshot, protocol))
    return path


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("name", NAMES)
def test_the_golden_networks_come_through(tmp_path: Path, name: str, protocol: int):
    canary = tmp_path / "canary"
    path = write(tmp_path, contents(golden_gan(name), source=source_text(canary)), protocol)
    gan = load_gan_file(path)
    t = load_file(GOLDEN / f"{name}.safetensors")
    ws = gan.G.mapping(t["in.z"], labels(t))
    assert relative_error(ws, t["out.ws"]) < TOLERANCE
    assert relative_error(gan.G.synthesis(ws, noise_mode="const"), t["out.img_noise_const"]) < TOLERANCE
    assert relative_error(gan.D(t["in.real"], labels(t)), t["out.logits_real"]) < TOLERANCE
    assert not canary.exists()
