"""Job 1: train the CIFAR-10 GAN, goes on when called again, and write what there is in half precision.

    python3 benchmarks/gpu/train_cifar10.py --data-path /root/cifar10 --work /root/gan --out $OUT

Writes ``cifar10/`` (model folder: G_ema and D), the last sheet of samples, and ``train_cifar10.json``: kimg and
seconds. The Fréchet distance is measured afterwards, by `ganforget evaluate`.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from clock import find_package, press_ctrl_c_after

find_package()

from ganforget.api.training import resume_training, train_gan  # noqa: E402 (the source tree is found above)
from ganforget.errors import GanForgetError  # noqa: E402
from ganforget.files import read_json_lines, write_bytes  # noqa: E402
from ganforget.training.options import TrainOptions  # noqa: E402

RECIPE: dict[str, Any] = {
    "data": "cifar10",
    "batch_size": 256,
    "learning_rate": 0.004,
    "r1_gamma": 0.01,
    "augment": "none",
    "z_dim": 128,
    "w_dim": 128,
    "mapping_layers": 2,
    "channel_base": 4096,
    "channel_max": 160,
    "d_architecture": "resnet",
    "ema_kimg": 50,
    "tick_kimg": 20,
    "snapshot_kimg": 100,
}
"""About four million weights: 8 MB in half precision. The R1 weight is that of the official CIFAR configuration; width
is what 20 MB allow, the rest what minutes do; with more time, --options of batch_size 64, augment ada, ema_kimg 200."""


def halve(model: Path, out: Path) -> None:
    """Copy a model folder with its weights in half precision."""
    import safetensors.torch

    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(model / "config.json", out / "config.json")
    tensors = safetensors.torch.load_file(model / "model.safetensors")
    halved = {key: value.half() if value.is_floating_point() else value for key, value in tensors.items()}
    write_bytes(out / "model.safetensors", safetensors.torch.save(halved))


def main() -> None:
    """Train for so many minutes, and keep what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-path", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kimg", type=float, default=20_000)
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--options", type=json.loads, default={}, help="training options in JSON, in place of ours")
    given = parser.parse_args()
    press_ctrl_c_after(given.minutes)
    runs = sorted(given.work.glob("*-train-*"))
    try:
        if runs:
            resume_training(runs[-1], changes={"kimg": given.kimg})
        else:
            recipe = {**RECIPE, **given.options}
            train_gan(TrainOptions(**recipe, data_path=given.data_path, kimg=given.kimg, outdir=given.work))
    except GanForgetError as stopped:  # the time is up, or NaN, or as long as was asked for: what there is, is kept
        print(stopped)
    run = sorted(given.work.glob("*-train-*"))[-1]
    halve(run / "model", given.out / "cifar10")
    sheets = sorted((run / "images").glob("fakes*.png"))
    if sheets:
        shutil.copy(sheets[-1], given.out / "samples.png")
    log = read_json_lines(run / "log.jsonl")
    write_bytes(given.out / "train_cifar10.json", json.dumps(log[-200:]).encode())
    print(json.dumps(log[-1]) if log else "Nothing was logged yet.")


if __name__ == "__main__":
    main()
