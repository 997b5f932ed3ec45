"""The options of training: a wrong one is named."""

import math
from typing import Any

import pytest

from ganforget.errors import InputError
from ganforget.models.gan import build_gan
from ganforget.training.config import TrainingConfig
from ganforget.training.networks import adam, network_config
from small_gan import small_data


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kimg", 0),
        ("kimg", math.nan),
        ("kimg", math.inf),
        ("batch_size", -4),
        ("learning_rate", 0),
        ("r1_gamma", -1),
        ("r1_interval", -1),
        ("path_length_interval", 0),
        ("ada_kimg", 0),
        ("augment_p", 1.5),
        ("style_mixing", -0.1),
        ("augment", "some"),
        ("augment_preset", "mine"),
        ("d_architecture", "vit"),
        ("snapshot_kimg", 0),
    ],
)
def test_a_wrong_option_is_named(name: str, value: Any):
    with pytest.raises(InputError, match=f"{name} is"):
        TrainingConfig(**{name: value})


def test_batches_are_whole_groups():
    with pytest.raises(InputError, match="multiple of mbstd_group_size"):
        TrainingConfig(batch_size=6, mbstd_group_size=4)
    TrainingConfig(batch_size=3, mbstd_group_size=4)  # one group of three


@pytest.mark.parametrize(("conditional", "c_dim", "expected"), [(True, 3, 3), (False, 3, 0), (True, 0, 0)])
def test_networks_fit_the_data(conditional: bool, c_dim: int, expected: int):
    config = TrainingConfig(conditional=conditional, z_dim=5, w_dim=6, channel_max=8, d_architecture="resnet")
    gan = build_gan(network_config(config, small_data(c_dim=c_dim, channels=3, resolution=16)))
    assert (gan.G.c_dim, gan.D.c_dim) == (expected, expected)
    assert (gan.G.z_dim, gan.G.w_dim, gan.G.img_channels, gan.D.img_resolution) == (5, 6, 3, 16)
    assert gan.D.get_submodule("b16").architecture == "resnet"


def test_networks_without_a_channel_are_refused():
    with pytest.raises(InputError, match="channel_base is 8; expected at least the resolution, 16"):
        network_config(TrainingConfig(channel_base=8), small_data(resolution=16))


def test_lazy_regularisation_shortens_rate_and_memory():
    """Every 16 steps one more: the rate is 16/17 and β₂ = 0.99^(16/17) (Karras et al. 2020, appendix B)."""
    network = build_gan(network_config(TrainingConfig(), small_data())).D
    lazy, plain = (adam(network, 0.01, interval).param_groups[0] for interval in (16, 0))
    assert lazy["lr"] == pytest.approx(0.01 * 16 / 17)
    assert lazy["betas"] == (0.0, pytest.approx(0.99 ** (16 / 17)))
    assert (plain["lr"], plain["betas"]) == (0.01, (0.0, 0.99))
