"""Job 8: half precision and channels-last on a CUDA device: how near to float32, how fast, how much memory.

    python3 benchmarks/gpu/half_precision.py --out $OUT
    python3 benchmarks/gpu/half_precision.py --out OUT --device cpu --resolutions 32 --repeats 1    # does it run?

Networks of config-f with random weights, ``num_fp16_res`` 4 and ``conv_clamp`` 256, in three ways: float32, half
precision with the usual order of axes, half precision channels-last (what ganforget does). For each resolution one line
of ``half_precision.jsonl``: milliseconds and peak MiB of four passes, and differences from float32 relative to their
norm; then what some steps of an inversion come to. It ends before its time, with the lines that it has.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clock import find_package, press_ctrl_c_after

find_package()

import torch  # noqa: E402 (the source tree is found above)
from torch import Tensor  # noqa: E402

from ganforget.files import append_json_line, make_folder  # noqa: E402
from ganforget.inversion import InversionConfig, invert  # noqa: E402
from ganforget.models import half_precision, stylegan2  # noqa: E402
from ganforget.models.gan import Gan, GanConfig, build_gan  # noqa: E402
from ganforget.models.half_precision import LossScale  # noqa: E402
from ganforget.models.latents import latent_statistics  # noqa: E402
from ganforget.rundir import circumstances  # noqa: E402
from ganforget.training.losses import r1_penalty  # noqa: E402

WAYS = ("float32", "half", "half channels-last")
BATCHES = {1024: 4, 256: 16}
CHANNELS_LAST = stylegan2.as_maps


def contiguous(x: Tensor, half: bool) -> Tensor:
    """Half precision in the usual order of axes."""
    return x.to(torch.float16 if half else torch.float32)


def go(way: str, device: str) -> None:
    """Have the networks run in one of the ways from now on."""
    half_precision.HALF_ON.clear()
    if way != "float32":
        half_precision.HALF_ON.add(device)
    stylegan2.as_maps = CHANNELS_LAST if way == "half channels-last" else contiguous


def networks(resolution: int, device: str) -> Gan:
    """Return config-f networks with random weights, ready to learn."""
    shape: dict[str, Any] = {"c_dim": 0, "img_resolution": resolution, "img_channels": 3}
    width = {"channel_base": 32768, "channel_max": 512, "num_fp16_res": 4, "conv_clamp": 256}
    G = {**shape, "z_dim": 512, "w_dim": 512, "synthesis_kwargs": width}
    torch.manual_seed(0)
    return build_gan(GanConfig(G, {**shape, **width})).to(device)


def passes(gan: Gan, batch: int) -> dict[str, Callable[[], Tensor]]:
    """Return passes by name; each returns what is compared: images, or the gradients of all convolutions."""
    G, D = gan.G, gan.D
    device = next(G.parameters()).device
    random = torch.Generator().manual_seed(0)
    ws = G.mapping(torch.randn(batch, 512, generator=random).to(device), None).detach()
    shape = (batch, 3, G.img_resolution, G.img_resolution)
    images, target = (torch.randn(shape, generator=random).clamp(-1, 1).to(device) for _ in range(2))

    def slopes(network: torch.nn.Module, loss: Tensor) -> Tensor:
        scale, weights = LossScale.of(network), [p for p in network.parameters() if p.ndim == 4]
        found = torch.autograd.grad(scale.up(loss), weights)
        scale.down(found)
        return torch.cat([gradient.flatten() for gradient in found])

    def r1() -> Tensor:
        real = images.clone().requires_grad_(True)
        return slopes(D, r1_penalty(D(real), real).mean())

    return {
        "G forward": lambda: G.synthesis(ws, noise_mode="const").detach(),
        "G forward and back": lambda: slopes(G, (G.synthesis(ws, noise_mode="const") - target).square().mean()),
        "D forward and back": lambda: slopes(D, D(images).mean()),
        "D with R1": r1,
    }


def timed(run: Callable[[], Tensor], repeats: int, device: str) -> dict[str, float]:
    """Return milliseconds, after one pass to warm up, and the peak of the device's memory in MiB."""
    run()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(repeats):
        run()
    if device == "cuda":
        torch.cuda.synchronize()
    peak = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else 0.0
    return {"ms": round((time.perf_counter() - began) / repeats * 1000, 2), "peak_mib": round(peak)}


def measure(resolution: int, device: str, repeats: int) -> dict[str, Any]:
    """Return the figures of one resolution."""
    gan, batch = networks(resolution, device), BATCHES.get(resolution, 4)
    record: dict[str, Any] = {"resolution": resolution, "batch": batch, "passes": {}, "inversion": {}}
    right: dict[str, Tensor] = {}
    for way in WAYS:
        go(way, device)
        for name, run in passes(gan, batch).items():
            found = run()
            right.setdefault(name, found)
            difference = float((found - right[name]).norm() / right[name].norm())
            figures = timed(run, repeats, device) | {"difference": difference if math.isfinite(difference) else None}
            record["passes"].setdefault(name, {})[way] = figures
    for network in (gan.G, gan.D):
        network.requires_grad_(False)
    for way in (WAYS[0], WAYS[2]):
        go("float32", device)
        statistics = latent_statistics(gan.G, seed=0)
        target = passes(gan, 2)["G forward"]()
        go(way, device)
        found = invert(gan.G, target, None, statistics, InversionConfig(steps=20, start="mean"))
        record["inversion"][way] = {"error": float(found.errors.mean()), "seconds": round(found.seconds, 2)}
    return record


def main() -> None:
    """Measure each resolution, and write a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--resolutions", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=9)
    torch.backends.cudnn.allow_tf32 = False  # its rounding is that of half precision
    given = parser.parse_args()
    press_ctrl_c_after(given.minutes)
    make_folder(given.out)
    for resolution in given.resolutions:
        record = measure(resolution, given.device, given.repeats) | circumstances(given.device)
        print(json.dumps(record, indent=2), flush=True)
        append_json_line(given.out / "half_precision.jsonl", record)


if __name__ == "__main__":
    main()
