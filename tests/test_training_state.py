"""The resume state of a training on disk."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ganforget.errors import InputError, ModelFileError
from ganforget.training.config import TrainingConfig
from ganforget.training.state import Sums, TrainingState, load_state, new_state, save_state
from small_gan import CPU, same_weights, small_networks


def begin(seed: int = 0, **networks: Any) -> TrainingState:
    return new_state(TrainingConfig(seed=seed), small_networks(**networks), CPU)


def test_the_weights_come_from_the_seed():
    torch.manual_seed(0)
    position = torch.get_rng_state()
    first = begin(0)
    assert torch.equal(torch.get_rng_state(), position)
    torch.manual_seed(1)
    assert same_weights(first.G, begin(0).G)
    assert same_weights(first.D, begin(0).D)
    assert same_weights(first.G, first.G_ema)
    assert not same_weights(first.G, begin(1).G)


def test_counters_come_back(tmp_path: Path):
    state = begin()
    state.step, state.images_seen, state.seconds = 2**33 + 1, 2**40 + 3, 12.345678901234
    state.augment_p, state.path_length_mean = 0.1 + 0.2, 1 / 3
    state.sums = Sums(0.1, 0.2, 0.3, -0.4, 0.5, -0.6, 7, 2)
    save_state(state, tmp_path)
    found = load_state(begin(1), tmp_path)
    for name in ("step", "images_seen", "seconds", "augment_p", "path_length_mean", "sums"):
        assert getattr(found, name) == getattr(state, name)
    assert isinstance(found.step, int)
    assert same_weights(found.D, state.D)


def test_no_state_is_an_input_error(tmp_path: Path):
    with pytest.raises(InputError, match="There is no resume state"):
        load_state(begin(), tmp_path)


def test_a_state_of_another_network_does_not_fit(tmp_path: Path):
    save_state(begin(), tmp_path)
    with pytest.raises(ModelFileError, match="expected"):
        load_state(begin(c_dim=4), tmp_path)


@pytest.mark.parametrize(("about", "named"), [('{"schema_version": 0}', "0"), ("{}", "None"), ("[1]", "None")])
def test_a_state_of_another_release(tmp_path: Path, about: str, named: str):
    save_state(begin(), tmp_path)
    (tmp_path / "about.json").write_text(about)
    with pytest.raises(ModelFileError, match=f"has schema version {named}, and this release reads 1"):
        load_state(begin(), tmp_path)


def test_a_truncated_state(tmp_path: Path):
    save_state(begin(), tmp_path)
    path = tmp_path / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelFileError, match="may be truncated"):
        load_state(begin(), tmp_path)


@pytest.mark.parametrize("key", ["counters", "G.synthesis.b4.const", "D.b4.out.bias", "G_ema.mapping.w_avg"])
def test_a_state_without_a_part(tmp_path: Path, key: str):
    save_state(begin(), tmp_path)
    tensors = load_file(tmp_path / "state.safetensors")
    del tensors[key]
    save_file(tensors, tmp_path / "state.safetensors")
    with pytest.raises(ModelFileError, match=key):
        load_state(begin(), tmp_path)
