"""The networks' options: architectures, noise, truncation, labels, precision. The arithmetic is in test_golden.py."""

from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from ganforget.models.layers import Conv2d, MinibatchStd, downsample, normalize_second_moment, resample_filter, upsample
from ganforget.models.stylegan2 import Discriminator, Generator, SynthesisLayer
from ganforget.training.losses import path_lengths, r1_penalty
from small_gan import randn, small_gan, some_labels

pytestmark = pytest.mark.usefixtures("checked_layers")

ARCHITECTURES = ["orig", "skip", "resnet"]


@pytest.mark.parametrize("resolution", [4, 8, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("c_dim", [0, 3])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_shapes(architecture: str, c_dim: int, channels: int, resolution: int):
    gan = small_gan(G=architecture, D=architecture, c_dim=c_dim, channels=channels, resolution=max(resolution, 8))
    G, D = gan.G, gan.D
    if resolution == 4:
        synthesis = {"channel_base": 32, "channel_max": 8, "architecture": architecture}
        G = Generator(8, c_dim, 8, 4, channels, {"num_layers": 2}, synthesis)
    c = some_labels(5, c_dim)
    ws = G.mapping(randn(5, 8), c)
    assert ws.shape == (5, G.num_ws, 8)
    assert G.num_ws == 2 * len(G.synthesis.block_resolutions)
    images = G.synthesis(ws, noise_mode="const")
    assert images.shape == (5, channels, resolution, resolution)
    assert torch.equal(G(randn(5, 8), c, noise_mode="const"), images)
    if resolution > 4:
        assert D(images[:4], None if c is None else c[:4]).shape == (4, 1)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_path_length_reaches_every_weight(architecture: str):
    """The second backward through the generator: every weight but the last biases changes the path length."""
    G = small_gan(G=architecture).G.requires_grad_(True)
    ws = G.mapping(randn(2, 8), some_labels(2))
    lengths = path_lengths(G.synthesis(ws, noise_mode="const"), ws, randn(2, 1, 8, 8, seed=1))
    lengths.sum().backward()
    without = [name for name, p in G.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == [name for name, _ in G.named_parameters() if name.endswith("torgb.bias")]
    assert all(torch.isfinite(p.grad).all() for p in G.parameters() if p.grad is not None)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_r1_reaches_every_weight(architecture: str):
    D = small_gan(D=architecture).D.requires_grad_(True)
    images = randn(4, 1, 8, 8).requires_grad_(True)
    r1_penalty(D(images, some_labels(4)), images).sum().backward()
    without = [name for name, p in D.named_parameters() if p.grad is None or not p.grad.any()]
    # D is piecewise linear but for the minibatch statistics: after those no bias changes the slope.
    assert without == ["b4.conv.bias", "b4.fc.bias", "b4.out.bias"]


@pytest.mark.parametrize("up", [True, False])
def test_a_modulated_layer_by_differences(up: bool):
    """First and second derivatives with respect to input, style and weight, in double precision."""
    layer = SynthesisLayer(2, 3, 4, 8, up=up, filter_taps=(1, 3, 3, 1), conv_clamp=None).double()
    x, w = randn(1, 2, *([4, 4] if up else [8, 8])).double(), randn(1, 4, seed=1).double()

    def run(x: Tensor, w: Tensor, weight: Tensor) -> Tensor:
        return functional_call(layer, {"weight": weight}, (x, w, "none", None)).sum(dim=[1, 2])[:, ::3]

    inputs = [value.detach().clone().requires_grad_(True) for value in (x, w, randn(3, 2, 3, 3, seed=2).double())]
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


@pytest.mark.parametrize(("size", "resample"), [(3, None), (3, "down"), (1, "down"), (1, "up")])
def test_a_convolution_by_differences(size: int, resample: Literal["up", "down"] | None):
    layer = Conv2d(2, 3, kernel_size=size, activation="lrelu", resample=resample).double()
    layer.bias = torch.nn.Parameter(randn(3, seed=5).double())

    def run(x: Tensor, weight: Tensor) -> Tensor:
        return functional_call(layer, {"weight": weight}, (x,)).sum(dim=[1, 2])[:, ::3]

    inputs = [value.double().requires_grad_(True) for value in (randn(1, 2, 8, 8), randn(3, 2, size, size, seed=2))]
    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs)


def test_the_standard_deviation_by_differences():
    x = randn(4, 2, 2, 2).double().requires_grad_(True)
    assert torch.autograd.gradcheck(MinibatchStd(2), [x])
    assert torch.autograd.gradgradcheck(MinibatchStd(2), [x])


# ----------------------------------------------------------------------------
# Noise.


def test_constant_noise_repeats():
    G = small_gan().G
    ws = randn(3, G.num_ws, 8)
    first = G.synthesis(ws, noise_mode="const")
    assert torch.equal(first, G.synthesis(ws, noise_mode="const"))
    assert torch.allclose(first[1:2], G.synthesis(ws[1:2], noise_mode="const"), atol=1e-5)


def test_random_noise_is_its_generators():
    G = small_gan().G
    ws = randn(1, G.num_ws, 8).repeat(2, 1, 1)

    def draw(seed: int) -> Tensor:
        return G.synthesis(ws, noise_mode="random", generator=torch.Generator().manual_seed(seed))

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))
    assert not torch.allclose(draw(0)[0], draw(0)[1]), "every image has noise of its own"
    state = torch.get_rng_state()
    draw(2)
    assert torch.equal(torch.get_rng_state(), state)


def test_noise_matters_and_none_is_none():
    G = small_gan().G
    ws = randn(2, G.num_ws, 8)
    none = G.synthesis(ws, noise_mode="none")
    assert not torch.allclose(G.synthesis(ws, noise_mode="const"), none)
    for name, parameter in G.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.zero_()
    assert torch.allclose(G.synthesis(ws, noise_mode="const"), none, atol=1e-6)
    assert torch.equal(G.synthesis(ws, noise_mode="none"), none)


# ----------------------------------------------------------------------------
# Mapping and labels.


def test_truncation_moves_layers_below_the_cutoff_towards_the_mean():
    G = small_gan().G
    z, c = randn(4, 8), some_labels(4)
    ws = G.mapping(z, c)
    assert torch.equal(G.mapping(z, c, truncation_psi=1, truncation_cutoff=2), ws)
    half = G.mapping(z, c, truncation_psi=0.5, truncation_cutoff=2)
    assert torch.allclose(half[:, :2], (ws[:, :2] + G.mapping.w_avg) / 2, atol=1e-6)
    assert torch.equal(half[:, 2:], ws[:, 2:])
    assert torch.allclose(G.mapping(z, c, truncation_psi=0), G.mapping.w_avg.expand_as(ws), atol=1e-6)


def test_all_layers_get_the_same_w():
    G = small_gan().G
    ws = G.mapping(randn(4, 8), some_labels(4))
    assert torch.equal(ws, ws[:, :1].expand_as(ws))


def test_the_mean_latent_moves_slowly():
    G = small_gan().G
    before, ws = G.mapping.w_avg.clone(), randn(6, G.num_ws, 8)
    G.mapping.update_w_avg(ws)
    assert torch.allclose(G.mapping.w_avg, 0.995 * before + 0.005 * ws[:, 0].mean(0), atol=1e-6)


def test_labels_change_image_and_score():
    gan = small_gan()
    z, images = randn(3, 8), randn(3, 1, 8, 8)
    zeros, ones = torch.eye(3)[[0, 0, 0]], torch.eye(3)[[1, 1, 1]]
    assert not torch.allclose(gan.G.mapping(z, zeros), gan.G.mapping(z, ones))
    assert not torch.allclose(gan.D(images, zeros), gan.D(images, ones))


def test_a_network_without_labels_ignores_them():
    gan = small_gan(c_dim=0)
    z, images = randn(4, 8), randn(4, 1, 8, 8)
    assert torch.equal(gan.G.mapping(z, None), gan.G.mapping(z, some_labels(4)))
    assert torch.equal(gan.D(images, None), gan.D(images, some_labels(4)))


def test_the_scale_of_z_does_not_matter():
    z = randn(4, 8)
    assert torch.allclose(normalize_second_moment(z).square().mean(1), torch.ones(4), atol=1e-5)
    G = small_gan().G
    assert torch.allclose(G.mapping(z, some_labels(4)), G.mapping(3 * z, some_labels(4)), atol=1e-5)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("c", [None, torch.eye(4), torch.zeros(4), torch.zeros(4, 3, 1)])
def test_labels_of_another_shape_are_refused(c: Tensor | None):
    gan = small_gan()
    with pytest.raises(ValueError, match=r"3 labels; expected c \[N, 3\]"):
        gan.G.mapping(randn(4, 8), c)
    with pytest.raises(ValueError, match=r"3 labels; expected c \[N, 3\]"):
        gan.D(randn(4, 1, 8, 8), c)


@pytest.mark.parametrize("shape", [(4, 1, 16, 16), (4, 3, 8, 8), (4, 1, 8, 4)])
def test_images_of_another_shape_are_refused(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"expected \[N, 1, 8, 8\]"):
        small_gan().D(torch.zeros(shape), some_labels(4))


def test_latents_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\[2, 3, 8\]; expected \[N, 4, 8\]"):
        small_gan().G.synthesis(torch.zeros(2, 3, 8))


@pytest.mark.parametrize("resolution", [0, 2, 12, -8])
def test_resolutions_are_powers_of_two(resolution: int):
    for build in (lambda: Generator(8, 0, 8, resolution, 1), lambda: Discriminator(0, resolution, 1)):
        with pytest.raises(ValueError, match="power of two"):
            build()


def test_a_discriminator_needs_a_block_before_its_epilogue():
    with pytest.raises(ValueError, match="at least 8"):
        Discriminator(0, 4, 1)


def test_clamps_hold():
    options = {"channel_base": 64, "channel_max": 8, "conv_clamp": 0.5}
    G = Generator(8, 0, 8, 8, 1, {"num_layers": 2}, {**options, "architecture": "orig"})
    for parameter in G.parameters():
        parameter.data.mul_(50)
    images = G(randn(2, 8), noise_mode="const").detach()
    assert float(images.abs().max()) == pytest.approx(0.5)


# ----------------------------------------------------------------------------
# Minibatch standard deviation, and D in two parts.


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("c_dim", [0, 3])
def test_trunk_and_head_are_the_discriminator(architecture: str, c_dim: int):
    D = small_gan(D=architecture, c_dim=c_dim).D
    images, c = randn(8, 1, 8, 8), some_labels(8, c_dim)
    features, rest = D.trunk(images)
    assert features.shape == (8, 8, 4, 4)
    assert (rest is not None) == (architecture == "skip")
    assert torch.equal(D.head(features, rest, c), D(images, c))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_trunk_mixes_no_images(architecture: str):
    D = small_gan(D=architecture).D
    images = randn(8, 1, 8, 8)
    features, rest = D.trunk(images)
    other, other_rest = D.trunk(images[2:3])
    assert torch.allclose(features[2:3], other, atol=1e-5)
    assert rest is None or other_rest is None or torch.allclose(rest[2:3], other_rest, atol=1e-5)


def test_groups_hold_images_that_stand_apart():
    """Of 8 images in groups of 4, image 1 stands with 3, 5 and 7, and with nobody else."""
    D = small_gan(c_dim=0).D
    images = randn(8, 1, 8, 8)
    logits = D(images)
    for changed in range(8):
        other = images.clone()
        other[changed] += 1
        moved = (D(other) - logits)[:, 0].abs() > 1e-6
        assert moved.tolist() == [i % 2 == changed % 2 for i in range(8)]


def test_standard_deviation_by_hand():
    """Two groups of two with one channel: (1, 5) has a deviation of 2, (3, 3) of 0."""
    x = torch.tensor([1.0, 3.0, 5.0, 3.0]).view(4, 1, 1, 1)
    found = MinibatchStd(2)(x)
    assert torch.equal(found[:, :1], x)
    assert torch.allclose(found[:, 1].flatten(), torch.tensor([2.0, 1e-4, 2.0, 1e-4]), atol=1e-6)


def test_features_of_the_standard_deviation():
    """Two statistics, each over half of the channels."""
    x = torch.zeros(2, 4, 1, 1)
    x[1, 2:] = 6
    found = MinibatchStd(2, num_channels=2)(x)
    assert found.shape == (2, 6, 1, 1)
    assert torch.allclose(found[:, 4:].flatten(1), torch.tensor([[1e-4, 3.0]] * 2), atol=1e-5)


def test_a_group_of_none_is_the_whole_batch():
    x = randn(6, 2, 4, 4)
    assert torch.equal(MinibatchStd(None)(x), MinibatchStd(6)(x))
    assert torch.equal(MinibatchStd(8)(x), MinibatchStd(6)(x)), "a group is at most the batch"
    assert torch.equal(MinibatchStd(4)(x, 2), MinibatchStd(2)(x))


def test_without_minibatch_statistics_images_are_alone():
    D = small_gan(mbstd=0).D
    images, c = randn(5, 1, 8, 8), some_labels(5)
    assert c is not None
    assert torch.allclose(D(images, c)[2:3], D(images[2:3], c[2:3]), atol=1e-5)


# ----------------------------------------------------------------------------
# Resampling.


@pytest.mark.parametrize("resample", [upsample, downsample])
@pytest.mark.parametrize("taps", [(1.0, 3.0, 3.0, 1.0), (1.0, 1.0), (1.0, 2.0, 1.0, 0.0, 0.0, 0.0)])
def test_resampling_keeps_what_is_flat(resample, taps: tuple[float, ...]):
    flat = torch.full((1, 2, 16, 16), 0.7)
    found = resample(flat, resample_filter(taps))
    assert found.shape[-1] == (32 if resample is upsample else 8)
    assert torch.allclose(found[:, :, 4:-4, 4:-4], torch.tensor(0.7), atol=1e-6)
