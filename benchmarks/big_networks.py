"""Take a big StyleGAN2 from pickle to pickle: import, inversion, cascade, export; record peak memory and seconds.

    python benchmarks/big_networks.py paper256 --data faces.zip
    python benchmarks/big_networks.py config-f-1024 --inversion-steps 1 --steps 1

The pickle has the official structure (tests/official_pickles.py) and random weights. The pieces are those of `ganforget
import`, `unlearn` and `export`, without the evaluation. Each run is one line of
``benchmarks/results/big_networks.jsonl``. Without ``--data`` the images are noise.
"""

import argparse
import os
import pickle
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganforget.data import DataSpec, ImageDataset, load_data
from ganforget.files import append_json_line, make_folder
from ganforget.interchange import export_like, load_file
from ganforget.interruption import StopRequest
from ganforget.inversion.invert import InversionConfig, invert
from ganforget.models.gan import Gan, GanConfig, build_gan, save_gan
from ganforget.models.latents import latent_statistics
from ganforget.models.memory import learning_batch
from ganforget.models.pictures import load_pictures
from ganforget.rundir import circumstances
from ganforget.unlearning.cascade import Cascade, Check
from ganforget.unlearning.config import CascadeConfig
from ganforget.unlearning.loop import run_cascade
from ganforget.unlearning.material import anchor_pool, fix_images, forget_latents
from ganforget.unlearning.state import new_cascade
from ganforget.work import Work

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent / "tests"))

from official_pickles import contents, official_modules  # noqa: E402

RESULTS = ROOT / "results" / "big_networks.jsonl"
SHAPES = {"paper256": (256, 16384), "config-f-256": (256, 32768), "config-f-1024": (1024, 32768)}
SHAPES |= {"small": (64, 4096)}  # to see that it runs
FORGOTTEN = 4


def networks(shape: str) -> GanConfig:
    """Return the official architectures: mapping of 8 layers, D 'resnet', groups of 4."""
    resolution, base = SHAPES[shape]
    common: dict[str, Any] = {"c_dim": 0, "img_resolution": resolution, "img_channels": 3}
    widths: dict[str, Any] = {"channel_base": base, "channel_max": 512}
    G = {**common, "z_dim": 512, "w_dim": 512, "synthesis_kwargs": widths}
    return GanConfig(G, {**common, **widths, "epilogue_kwargs": {"mbstd_group_size": 4}})


def write_pickle(path: Path, shape: str) -> None:
    """Write a snapshot of random networks, in a process of its own, as that takes more memory than reading it."""
    child = os.fork()
    if child == 0:
        torch.manual_seed(0)
        with official_modules(), path.open("wb") as file:
            pickle.dump(contents(build_gan(networks(shape))), file, protocol=4)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit("The pickle could not be written.")


def images_of(data: Path | None, resolution: int) -> ImageDataset:
    """Return 8 images: the first ones of a folder or ZIP, or noise."""
    if data is not None:
        return load_data(DataSpec(str(data)), resolution=resolution).train.subset(range(2 * FORGOTTEN))
    pixels = np.random.default_rng(0).integers(0, 256, (2 * FORGOTTEN, 3, resolution, resolution), dtype=np.uint8)
    return ImageDataset(pixels, None, 0, tuple(str(n) for n in range(2 * FORGOTTEN)))


def cascade_of(gan: Gan, images: ImageDataset, options: argparse.Namespace, work: Work) -> Cascade:
    """Invert 4 images and prepare the cascade that forgets them, few-shot."""
    statistics = latent_statistics(gan.G, seed=0)
    forgotten, retained = (images.subset(range(at, at + FORGOTTEN)) for at in (0, FORGOTTEN))
    wanted = InversionConfig(steps=options.inversion_steps, start="mean", batch_size=options.micro_batch or 128)
    pictures = load_pictures(forgotten, "cpu")
    inversion = invert(gan.G, pictures, None, statistics, wanted)
    config = CascadeConfig(
        "item", "few-shot", "truncation", max_steps=options.steps, check_interval=1, micro_batch=options.micro_batch
    )
    latents = forget_latents(
        gan.G, inversion.ws, None, statistics, name="truncation", classes=(), mapped=0, seed=0, work=work
    )
    forget, retain = (fix_images(gan.D, load_pictures(part, "cpu"), None, work) for part in (forgotten, retained))
    anchors = anchor_pool(gan, None, config.pool, seed=0, work=work)
    return Cascade(gan, config, -5.0, forget, latents, anchors, retain, work=work)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run every stage and return seconds and the peak of resident memory at the end of each."""
    seconds, peaks = {}, {"start": _peak()}
    clock = time.perf_counter()

    def stage(name: str) -> None:
        nonlocal clock
        seconds[name], peaks[name] = round(time.perf_counter() - clock, 1), _peak()
        print(f"{name}: {seconds[name]} s, peak {peaks[name]} MiB", flush=True)
        clock = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        original, exported = Path(folder) / "network-snapshot-025000.pkl", Path(folder) / "unlearned.pkl"
        write_pickle(original, options.shape)
        stage("make")
        gan = load_file(original)
        for network in (gan.G, gan.D):
            network.requires_grad_(False)
        stage("import")
        images = images_of(options.data, gan.G.img_resolution)
        stage("load images")
        cascade = cascade_of(gan, images, options, Work())
        stage("inversion")
        state = new_cascade(gan, cascade.config)
        never = Check({}, d_reached=False, g_reached=False)
        losses: list[dict[str, float]] = []
        run_cascade(
            cascade, state, lambda *_: never, stop=StopRequest(), on_check=lambda _s, found, _c: losses.append(found)
        )
        stage("cascade")
        unlearned = Gan(state.G_ema, state.D, gan.config)
        save_gan(unlearned, Path(folder) / "unlearned")
        stage("save")
        placed = export_like(unlearned, original, exported)
        stage("export")
        same = all(torch.equal(a, b) for a, b in zip(tensors(load_file(exported)), tensors(unlearned), strict=True))
    batches = {"G": options.micro_batch or learning_batch(gan.G), "D": options.micro_batch or learning_batch(gan.D)}
    return {
        "shape": options.shape,
        "faces": options.data is not None,
        "inversion_steps": options.inversion_steps,
        "cascade_steps": options.steps,
        "micro_batch": batches,
        "seconds": seconds,
        "peak_mib": peaks,
        "losses": losses[-1],
        "exported": {"tensors": len(placed), "replaced": sum(p.state == "replaced" for p in placed), "read_back": same},
        "work": vars(state.work),
    }


def tensors(gan: Gan) -> list[torch.Tensor]:
    """Return all tensors of both networks."""
    return [*gan.G.state_dict().values(), *gan.D.state_dict().values()]


def _peak() -> int | None:
    """Return the peak of this process's resident memory in MiB, where the system tells."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), None)


def main() -> None:
    """Read the command line, measure, and write one line of results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--inversion-steps", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--micro-batch", type=int)
    options = parser.parse_args()
    about = circumstances("cpu")
    line = {**measure(options), **about}
    make_folder(RESULTS.parent)
    append_json_line(RESULTS, line)


if __name__ == "__main__":
    main()
