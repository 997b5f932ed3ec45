"""The names and shapes of rosinality-style StyleGAN2 networks, tensor by tensor, and ours for each."""

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Entry", "discriminator_entries", "generator_entries"]


@dataclass(frozen=True)
class Entry:
    """One tensor: its name and shape there, its name here; ``ours`` is None for blur kernels."""

    theirs: str
    shape: tuple[int, ...]
    ours: str | None
    gain: float = 1.0
    """What a blur kernel sums to."""


def generator_entries(widths: dict[int, int], w_dim: int, layers: int, taps: int) -> Iterator[Entry]:
    """Yield every tensor of a generator with ``widths`` by resolution.

    Weights are scaled at run time there as here, by the same factors, so they are taken as they are; those of modulated
    convolutions are scaled by 1/√(fan-in) there only, which demodulation takes out again (but for its ε of 1e-8).
    """
    for i in range(layers):
        yield Entry(f"style.{i + 1}.weight", (w_dim, w_dim), f"mapping.fc{i}.weight")
        yield Entry(f"style.{i + 1}.bias", (w_dim,), f"mapping.fc{i}.bias")
    yield Entry("input.input", (1, widths[4], 4, 4), "synthesis.b4.const")
    yield from _styled("conv1", 4, widths[4], widths[4], w_dim, "synthesis.b4.conv1")
    yield from _to_rgb("to_rgb1", widths[4], w_dim, "synthesis.b4.torgb")
    yield Entry("noises.noise_0", (1, 1, 4, 4), "synthesis.b4.conv1.noise_const")
    for i, res in enumerate(list(widths)[1:]):
        below, width, block = widths[res // 2], widths[res], f"synthesis.b{res}"
        yield from _styled(f"convs.{2 * i}", res, below, width, w_dim, f"{block}.conv0")
        yield from _styled(f"convs.{2 * i + 1}", res, width, width, w_dim, f"{block}.conv1")
        yield from _to_rgb(f"to_rgbs.{i}", width, w_dim, f"{block}.torgb")
        yield Entry(f"convs.{2 * i}.conv.blur.kernel", (taps, taps), None, 4.0)
        yield Entry(f"to_rgbs.{i}.upsample.kernel", (taps, taps), None, 4.0)
        yield Entry(f"noises.noise_{2 * i + 1}", (1, 1, res, res), f"{block}.conv0.noise_const")
        yield Entry(f"noises.noise_{2 * i + 2}", (1, 1, res, res), f"{block}.conv1.noise_const")


def _styled(theirs: str, res: int, below: int, width: int, w_dim: int, ours: str) -> Iterator[Entry]:
    yield Entry(f"{theirs}.conv.weight", (1, width, below, 3, 3), f"{ours}.weight")
    yield from _modulation(theirs, below, w_dim, ours)
    yield Entry(f"{theirs}.noise.weight", (1,), f"{ours}.noise_strength")
    yield Entry(f"{theirs}.activate.bias", (width,), f"{ours}.bias")


def _to_rgb(theirs: str, width: int, w_dim: int, ours: str) -> Iterator[Entry]:
    yield Entry(f"{theirs}.conv.weight", (1, 3, width, 1, 1), f"{ours}.weight")
    yield from _modulation(theirs, width, w_dim, ours)
    yield Entry(f"{theirs}.bias", (1, 3, 1, 1), f"{ours}.bias")


def _modulation(theirs: str, width: int, w_dim: int, ours: str) -> Iterator[Entry]:
    yield Entry(f"{theirs}.conv.modulation.weight", (width, w_dim), f"{ours}.affine.weight")
    yield Entry(f"{theirs}.conv.modulation.bias", (width,), f"{ours}.affine.bias")


def discriminator_entries(widths: dict[int, int], taps: int) -> Iterator[Entry]:
    """Yield every tensor of a discriminator with ``widths`` by resolution."""
    largest = max(widths)
    yield Entry("convs.0.0.weight", (widths[largest], 3, 1, 1), f"b{largest}.fromrgb.weight")
    yield Entry("convs.0.1.bias", (widths[largest],), f"b{largest}.fromrgb.bias")
    for i, res in enumerate(sorted(widths, reverse=True)[:-1], start=1):
        width, below, theirs = widths[res], widths[res // 2], f"convs.{i}"
        yield Entry(f"{theirs}.conv1.0.weight", (width, width, 3, 3), f"b{res}.conv0.weight")
        yield Entry(f"{theirs}.conv1.1.bias", (width,), f"b{res}.conv0.bias")
        yield Entry(f"{theirs}.conv2.0.kernel", (taps, taps), None)
        yield Entry(f"{theirs}.conv2.1.weight", (below, width, 3, 3), f"b{res}.conv1.weight")
        yield Entry(f"{theirs}.conv2.2.bias", (below,), f"b{res}.conv1.bias")
        yield Entry(f"{theirs}.skip.0.kernel", (taps, taps), None)
        yield Entry(f"{theirs}.skip.1.weight", (below, width, 1, 1), f"b{res}.skip.weight")
    yield Entry("final_conv.0.weight", (widths[4], widths[4] + 1, 3, 3), "b4.conv.weight")
    yield Entry("final_conv.1.bias", (widths[4],), "b4.conv.bias")
    yield Entry("final_linear.0.weight", (widths[4], widths[4] * 16), "b4.fc.weight")
    yield Entry("final_linear.0.bias", (widths[4],), "b4.fc.bias")
    yield Entry("final_linear.1.weight", (1, widths[4]), "b4.out.weight")
    yield Entry("final_linear.1.bias", (1,), "b4.out.bias")
