"""Measure import and export of a large network pickle: seconds and peak memory of each command, in its own process.

    python benchmarks/import_network.py                        # config-f at 1024×1024: G, D and G_ema, random weights
    python benchmarks/import_network.py --resolution 256

The pickle has the official structure (tests/official_pickles.py) and lies in a temporary folder. One line of JSON goes
to ``benchmarks/results/import.jsonl``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from ganforget.files import append_json_line, make_folder
from ganforget.models.gan import Gan, GanConfig, build_gan, load_gan
from ganforget.rundir import circumstances

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent / "tests"))

from official_pickles import contents, official_modules, source_text  # noqa: E402

# Linux's own count of the highest resident memory; getrusage's would begin with the parent's.
PEAK = "int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) / 1024"


def config_f(resolution: int) -> GanConfig:
    """Return the published large configuration: 512 channels at most, 8 mapping layers, no labels."""
    shape: dict[str, Any] = {"c_dim": 0, "img_resolution": resolution, "img_channels": 3}
    width = {"channel_base": 32768, "channel_max": 512, "num_fp16_res": 4, "conv_clamp": 256}
    inner = {"mapping_kwargs": {"num_layers": 8}, "synthesis_kwargs": width}
    return GanConfig({**shape, "z_dim": 512, "w_dim": 512, **inner}, {**shape, **width})


def write_pickle(path: Path, resolution: int) -> None:
    """Write a snapshot of random networks, with a training G that differs from G_ema."""
    import pickle

    torch.manual_seed(0)
    gan, training = build_gan(config_f(resolution)), build_gan(config_f(resolution))
    with official_modules(), path.open("wb") as file:
        pickle.dump(contents(gan, training=training, source=source_text(path.parent / "canary")), file, protocol=4)


def command(*arguments: str) -> dict[str, float]:
    """Run a ganforget command and return its wall time, its processor time and its peak memory in MB."""
    program = (
        "import json, resource, sys, time\n"
        "begin = time.perf_counter()\n"
        "from ganforget.cli import main\n"
        "status = main(sys.argv[1:])\n"
        "usage = resource.getrusage(resource.RUSAGE_SELF)\n"
        "seconds = time.perf_counter() - begin\n"
        f"print(json.dumps([status, seconds, usage.ru_utime + usage.ru_stime, {PEAK}]))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    status, seconds, processor, peak = json.loads(done.stdout.splitlines()[-1])
    assert status == 0, done.stderr
    return {"seconds": round(seconds, 2), "processor_seconds": round(processor, 2), "peak_mb": round(peak)}


def same(a: Gan, b: Gan) -> bool:
    """Whether two GANs are equal to the bit."""
    pairs = ((a.G.state_dict(), b.G.state_dict()), (a.D.state_dict(), b.D.state_dict()))
    return all(x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x) for x, y in pairs)


def measure(resolution: int) -> dict[str, Any]:
    """Return the figures of one pickle."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        original, out = folder / "network-snapshot-025000.pkl", folder / "out.pkl"
        child = os.fork()  # the making of the pickle takes far more memory than the reading
        if child == 0:
            write_pickle(original, resolution)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        record: dict[str, Any] = {"resolution": resolution, "file_mb": round(original.stat().st_size / 2**20, 1)}
        record["inspect"] = command("inspect", str(original))
        record["import"] = command("import", str(original), str(folder / "model"))
        record["export"] = command("export", str(folder / "model"), str(out), "--like", str(original))
        record["import_again"] = command("import", str(out), str(folder / "again"))
        record["same_tensors"] = same(load_gan(folder / "model"), load_gan(folder / "again"))
        record["canary"] = (folder / "canary").exists()
        record["torch_alone_mb"] = torch_alone()
    return record


def torch_alone() -> int:
    """Return the peak memory of a process that imports PyTorch and does nothing."""
    program = f"import torch; print(round({PEAK}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=1024)
    found = measure(parser.parse_args().resolution) | {"load": [round(x, 1) for x in os.getloadavg()]}
    print(json.dumps(found, indent=2))
    make_folder(ROOT / "results")
    append_json_line(ROOT / "results" / "import.jsonl", found | circumstances("cpu"))
