"""Half precision, made to run on the CPU: near float32, channels-last inside, gradients that survive."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganforget.interruption import StopRequest
from ganforget.inversion import InversionConfig, invert
from ganforget.models import half_precision
from ganforget.models.gan import Gan, GanConfig, build_gan
from ganforget.models.half_precision import LossScale, half_from
from ganforget.models.latents import latent_statistics
from ganforget.models.memory import _map_bytes
from ganforget.models.micro_batch import r1_in_parts, score_in_parts, synthesise_in_parts
from ganforget.training.losses import d_loss, path_lengths, r1_penalty
from ganforget.unlearning.cascade import Check
from ganforget.unlearning.descent import descend
from ganforget.unlearning.loop import run_cascade
from ganforget.unlearning.state import CascadeState, load_cascade, new_cascade, save_cascade
from small_gan import randn, same_weights, small_cascade, small_gan, small_networks, some_labels

ARCHITECTURES = ["orig", "skip", "resnet"]


def half_gan(*, resolution: int = 16, halves: int = 2, **networks: Any) -> Gan:
    """Return a GAN whose file says that its highest resolutions run in half precision."""
    plain = small_networks(resolution=resolution, **networks)
    more = {"num_fp16_res": halves, "conv_clamp": 256}
    config = GanConfig(plain.G | {"synthesis_kwargs": plain.G["synthesis_kwargs"] | more}, plain.D | more)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        gan = build_gan(config)
        for parameter in [*gan.G.parameters(), *gan.D.parameters()]:
            parameter.data.add_(0.1 * torch.randn(parameter.shape))
    gan.G.requires_grad_(False)
    gan.D.requires_grad_(False)
    return gan


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Blocks run in half precision here; emptied, the set gives float32 back."""
    devices = {"cpu"}
    monkeypatch.setattr(half_precision, "HALF_ON", devices)
    return devices


def close(ours: Tensor, theirs: Tensor, tolerance: float = 0.01) -> bool:
    """Whether the difference is small beside what is expected, as a whole."""
    return float((ours - theirs).norm()) <= tolerance * float(theirs.norm())


def gradients(network: nn.Module, value: Tensor) -> Tensor:
    found = torch.autograd.grad(value, [p for p in network.parameters() if p.requires_grad], materialize_grads=True)
    return torch.cat([gradient.flatten() for gradient in found])


def seen_by(network: nn.Module, run: Any) -> dict[str, tuple[torch.dtype, bool]]:
    """Return the type of what each convolution takes, and whether it is channels-last."""
    seen: dict[str, tuple[torch.dtype, bool]] = {}

    def note(name: str) -> Any:
        return lambda _m, inputs, _o: seen.update(
            {name: (inputs[0].dtype, inputs[0].is_contiguous(memory_format=torch.channels_last))}
        )

    hooks = [m.register_forward_hook(note(name)) for name, m in network.named_modules() if name.endswith(".conv1")]
    run()
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize(
    ("resolution", "halves", "lowest"), [(1024, 4, 128), (256, 4, 32), (32, 4, 8), (1024, 1, 1024), (64, 0, 128)]
)
def test_which_resolutions(resolution: int, halves: int, lowest: int):
    """As many as the file says, the highest ones, never below 8×8."""
    assert half_from(resolution, halves) == lowest


def test_a_cpu_runs_in_float32():
    gan = half_gan()
    ws = randn(2, gan.G.num_ws, 8)
    assert {kind for kind, _ in seen_by(gan.G, lambda: gan.G.synthesis(ws, noise_mode="const")).values()} == {
        torch.float32
    }
    assert not LossScale.of(gan.G, gan.D).active
    plain = half_gan(halves=0)
    assert torch.equal(gan.G.synthesis(ws, noise_mode="const"), plain.G.synthesis(ws, noise_mode="const"))


def test_blocks_of_half_precision_are_channels_last_and_nothing_else_is(on_cpu: set[str]):
    gan = half_gan(resolution=32, channels=3)
    ws, images = randn(2, gan.G.num_ws, 8), randn(4, 3, 32, 32)
    G = seen_by(gan.G.synthesis, lambda: gan.G.synthesis(ws, noise_mode="const"))
    D = seen_by(gan.D, lambda: gan.D(images, some_labels(4)))
    half, full = (torch.float16, True), (torch.float32, False)
    assert {"b4.conv1": full, "b8.conv1": full, "b16.conv1": half, "b32.conv1": half} == G
    assert {"b32.conv1": half, "b16.conv1": half, "b8.conv1": full} == D
    assert gan.G.synthesis(ws).dtype == gan.D.trunk(images)[0].dtype == torch.float32
    assert gan.G.synthesis(ws).is_contiguous()
    forced = seen_by(gan.G.synthesis, lambda: gan.G.synthesis(ws, force_fp32=True))
    assert {kind for kind, _ in forced.values()} == {torch.float32}


@pytest.mark.parametrize("noise_mode", ["const", "none"])
@pytest.mark.parametrize("halves", [1, 2])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_images_and_scores_are_near_float32(architecture: str, halves: int, noise_mode: Any, on_cpu: set[str]):
    gan = half_gan(G=architecture, D=architecture, halves=halves, channels=3)
    ws, c, reals = randn(4, gan.G.num_ws, 8), some_labels(4), randn(4, 3, 16, 16)
    images, logits = gan.G.synthesis(ws, noise_mode=noise_mode), gan.D(reals, c)
    on_cpu.clear()
    expected_images, expected_logits = gan.G.synthesis(ws, noise_mode=noise_mode), gan.D(reals, c)
    assert not torch.equal(images, expected_images)
    assert not torch.equal(logits, expected_logits)
    assert close(images, expected_images, 0.005)
    assert close(logits, expected_logits)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_are_near_float32(architecture: str, on_cpu: set[str]):
    """The first ones, and the second ones of R1 and of path lengths."""
    gan = half_gan(G=architecture, D=architecture)
    gan.G.requires_grad_(True)
    gan.D.requires_grad_(True)
    c, reals, target = some_labels(4), randn(4, 1, 16, 16).requires_grad_(True), randn(4, 1, 16, 16, seed=1)

    def found() -> list[Tensor]:
        first, second = (gan.G.mapping(randn(4, 8), c) for _ in range(2))
        images = gan.G.synthesis(first, noise_mode="const")
        lengths = path_lengths(gan.G.synthesis(second, noise_mode="const"), second, randn(4, 1, 16, 16, seed=2)).sum()
        logits = gan.D(reals, c)
        return [
            gradients(gan.G, (images - target).square().mean()),
            gradients(gan.G, lengths),
            gradients(gan.D, d_loss(logits[:2], logits[2:]) * 2**8),
            gradients(gan.D, r1_penalty(gan.D(reals, c), reals).mean() * 2**8),
        ]

    ours = found()
    on_cpu.clear()
    for number, (half, full) in enumerate(zip(ours, found(), strict=True)):
        assert close(half, full, 0.1), number  # leaky ReLUs have kinks


def test_micro_batches_in_half_precision(on_cpu: set[str]):
    """As near to float32 as the whole batch is; for R1 with a scale, as the cascade has it."""
    gan = half_gan(D="resnet")
    gan.G.requires_grad_(True)
    gan.D.requires_grad_(True)
    c, images, ws = some_labels(8), randn(8, 1, 16, 16), randn(5, gan.G.num_ws, 8)
    real = images.clone().requires_grad_(True)
    parts = [
        gradients(gan.D, r1_in_parts(gan.D, images, c, 3, 2.0**8)),
        gradients(gan.D, score_in_parts(gan.D, images, c, 3).mean()),
        gradients(gan.G, synthesise_in_parts(gan.G, ws, 2).square().mean()),
    ]
    on_cpu.clear()
    whole = [
        gradients(gan.D, r1_penalty(gan.D(real, c), real).mean()),
        gradients(gan.D, gan.D(images, c).mean()),
        gradients(gan.G, gan.G.synthesis(ws, noise_mode="const").square().mean()),
    ]
    for number, (ours, theirs) in enumerate(zip(parts, whole, strict=True)):
        assert close(ours, theirs, 0.05), number


def test_r1_that_overflows_has_a_value_and_no_step(on_cpu: set[str]):
    """The gradients tell of it, so that the scale is halved; the value is what it is."""
    D = half_gan(D="resnet").D.requires_grad_(True)
    images, c = randn(4, 1, 16, 16), some_labels(4)
    penalty = r1_in_parts(D, images, c, 1, 2.0**40)
    assert torch.isfinite(penalty)
    before, scale = {k: v.clone() for k, v in D.state_dict().items()}, LossScale(64.0)
    descend(torch.optim.Adam(D.parameters()), {"r1": penalty}, scale)
    assert all(torch.equal(before[key], value) for key, value in D.state_dict().items())
    assert scale.value == 32


def test_half_as_many_bytes(on_cpu: set[str]):
    gan = half_gan(resolution=256)
    half = [_map_bytes(network) for network in (gan.G, gan.D)]
    on_cpu.clear()
    maps = {res: 4 * 8 * res * res for res in (4, 8, 16, 32, 64, 128, 256)}  # 8 channels of float32
    assert half[0] == sum(maps.values()) - (maps[256] + maps[128]) // 2
    assert half[1] == half[0] - maps[4]  # which has no block of its own in D
    assert _map_bytes(gan.G) == sum(maps.values())


# ----------------------------------------------------------------------------
# Scaled losses.


def test_a_scale_is_taken_out_again():
    scale, weight = LossScale(8.0), torch.tensor([1.0, 2.0], requires_grad=True)
    scale.up((weight**2).sum()).backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.tensor([16.0, 32.0]))
    assert scale.down([weight.grad, None])
    assert torch.equal(weight.grad, torch.tensor([2.0, 4.0]))
    assert torch.equal(scale.gradient((weight**3).sum(), weight), torch.tensor([3.0, 12.0]))


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_an_overflow_halves_the_scale(bad: float):
    scale = LossScale(8.0)
    assert not scale.down([torch.ones(2), torch.tensor([1.0, bad])])
    assert scale.value == 4
    for _ in range(5):
        scale.down([torch.tensor(bad)])
    assert scale.value == 1
    x = torch.ones(1, requires_grad=True)
    assert torch.equal(scale.gradient((x * bad).sum(), x), torch.zeros(1))


def test_without_half_precision_nothing_is_touched():
    scale, bad = LossScale(8.0, active=False), torch.tensor(float("inf"))
    assert scale.up(torch.tensor(3.0)) == 3
    assert scale.down([bad])
    assert (scale.value, bad) == (8, float("inf"))


def test_the_mean_over_many_pixels_needs_it(on_cpu: set[str]):
    """A mean over the pixels of a large image: without a scale its gradients are rounding, with it they are right."""
    G = half_gan(c_dim=0).G
    ws = randn(1, G.num_ws, 8).requires_grad_(True)
    near = G.synthesis(ws.detach(), noise_mode="const") + randn(1, 1, 16, 16)

    def error() -> Tensor:
        return (G.synthesis(ws, noise_mode="const") - near).square().sum() / (3 * 8192**2)  # as if there were so many

    bare, scaled = torch.autograd.grad(error(), ws)[0], LossScale(2.0**16).gradient(error(), ws)
    on_cpu.clear()
    right = torch.autograd.grad(error(), ws)[0]
    assert close(scaled, right, 0.1)
    assert not close(bare, right, 0.5)


def test_an_inversion_in_half_precision(on_cpu: set[str]):
    """Images of G are found again, in float32 as well."""
    G = half_gan(c_dim=0).G
    statistics = latent_statistics(G, seed=0, samples=64)
    images = G.synthesis(G.mapping(randn(2, 8), None), noise_mode="const")
    found = invert(G, images, None, statistics, InversionConfig(steps=30, start_samples=32))
    on_cpu.clear()
    plain = invert(G, images, None, statistics, InversionConfig(steps=30, start_samples=32))
    assert found.errors.max() < 2 * plain.errors.max() + 1e-3
    assert (G.synthesis(found.ws, noise_mode="const") - images).square().mean() < 2 * plain.errors.mean() + 1e-3


def cascaded(gan: Gan, scale: float, **config: Any) -> CascadeState:
    cascade = small_cascade(gan, substitute="average", max_steps=2, **config)
    state = new_cascade(gan, cascade.config)
    state.G_scale.value = state.D_scale.value = scale
    never = Check({}, d_reached=False, g_reached=False)
    run_cascade(cascade, state, lambda *_: never, stop=StopRequest(), on_check=lambda *_: None)
    return state


def moved(network: nn.Module, start: nn.Module) -> Tensor:
    pairs = zip(network.parameters(), start.parameters(), strict=True)
    return torch.cat([(now - before).detach().flatten() for now, before in pairs])


@pytest.mark.parametrize(("preset", "micro_batch"), [("default", None), ("default", 3), ("paper", None)])
def test_a_cascade_in_half_precision(preset: Any, micro_batch: int | None, on_cpu: set[str]):
    """Weights stay float32, and move about as in float32."""
    gan = half_gan(D="resnet")
    state = cascaded(gan, 8.0, preset=preset, micro_batch=micro_batch)
    assert (state.G_scale, state.D_scale) == (LossScale(8.0), LossScale(8.0))
    assert {p.dtype for p in [*state.G.parameters(), *state.D.parameters()]} == {torch.float32}
    on_cpu.clear()
    plain = cascaded(gan, 8.0, preset=preset)
    for ours, theirs, start in ((state.G, plain.G, gan.G), (state.D, plain.D, gan.D)):
        assert torch.cosine_similarity(moved(ours, start), moved(theirs, start), dim=0) > 0.8


def test_a_cascade_leaves_out_steps_that_overflow(on_cpu: set[str]):
    """Of ours G's; D's head is in float32."""
    gan = half_gan(D="resnet")
    state = cascaded(gan, 2.0**60)
    assert state.step == 2
    assert state.G_scale.value == 2.0**58
    assert not moved(state.G, gan.G).any()


def test_the_papers_cascade_leaves_out_steps_that_overflow(on_cpu: set[str]):
    gan = half_gan(D="resnet")
    state = cascaded(gan, 2.0**60, preset="paper")
    assert state.G_scale.value < 2.0**60
    assert state.D_scale.value < 2.0**60
    assert not moved(state.G, gan.G).any()
    assert not moved(state.D, gan.D).any()


def test_the_scale_is_kept_with_the_state(tmp_path: Path, on_cpu: set[str]):
    gan = half_gan()
    cascade = small_cascade(gan)
    state = new_cascade(gan, cascade.config)
    state.D_scale.value = 32.0
    save_cascade(state, tmp_path)
    found = load_cascade(new_cascade(gan, cascade.config), tmp_path)
    assert (found.G_scale.value, found.D_scale.value) == (16**2, 32.0)
    assert same_weights(found.D, state.D)


def test_a_plain_cascade_has_no_scale():
    gan = small_gan()
    state = new_cascade(gan, small_cascade(gan).config)
    assert not state.G_scale.active
    assert not state.D_scale.active
