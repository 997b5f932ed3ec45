"""Read mutated pickles, safetensors and ZIPs: each must end in an error of ours or be read, in bounded time and memory.

    python benchmarks/fuzz.py       # 105,000: 25,000 pickles (5,000 of protocol 2), 40,000 safetensors, 40,000 ZIPs
    python benchmarks/fuzz.py --pickle 5000 --old-pickle 0 --safetensors 0 --zip 0 --first 100000

File number n of a kind is always the same one (tests/mutations.py). Every 5,000 files are read by a process of their
own, so that a crash is seen as one; a file that takes longer than 20 seconds is a hang. One line of JSON goes to
``benchmarks/results/fuzz.jsonl``; the exit status is 1 if anything went wrong.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from ganforget.files import append_json_line, make_folder
from ganforget.rundir import circumstances

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent / "tests"))

COUNTS = {"pickle": 20_000, "old-pickle": 5_000, "safetensors": 40_000, "zip": 40_000}
CHUNK = 5000
HANG = 20


def read_chunk(kind: str, first: int, count: int) -> dict[str, Any]:
    """Read files of a kind in this process; return the outcomes, the longest time and the highest memory."""
    from mutations import mutated, outcome, seeds

    def stop(*_: object) -> None:
        raise TimeoutError(f"longer than {HANG} seconds")

    warnings.simplefilter("ignore")  # torch's and Pillow's words on odd files
    signal.signal(signal.SIGALRM, stop)
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    longest = 0.0
    with tempfile.TemporaryDirectory() as name:
        canary = Path.cwd() / "canary"
        outcome(kind, seeds(kind)[0], Path(name))
        base = peak()
        for number in range(first, first + count):
            content = mutated(kind, number)
            begin = time.process_time()
            signal.alarm(HANG)
            try:
                outcomes[outcome(kind, content, Path(name))] += 1
            except BaseException as error:
                wrong.append(f"{kind} {number}: {type(error).__name__}: {error}"[:300])
            signal.alarm(0)
            longest = max(longest, time.process_time() - begin)
        if canary.exists():
            wrong.append(f"{kind} {first}: the canary came")
    return {"outcomes": outcomes, "wrong": wrong, "longest": longest, "grown_mb": peak() - base}


def peak() -> float:
    """Return the highest resident memory of this process so far, in MB."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024


def run_chunk(kind: str, first: int, count: int) -> dict[str, Any]:
    """Read files in a process of its own; a crash of it is something wrong."""
    command = [sys.executable, __file__, "--chunk", kind, "--first", str(first), "--count", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=HANG * count)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:]
        wrong = [f"{kind} {first} to {first + count - 1}: exit status {done.returncode} {last}"]
        return {"outcomes": {}, "wrong": wrong, "longest": 0.0, "grown_mb": 0.0}
    return json.loads(done.stdout.splitlines()[-1])


def fuzz(counts: dict[str, int], first: int) -> dict[str, Any]:
    """Return what became of so many files of each kind."""
    record: dict[str, Any] = {"first": first, "kinds": {}, "wrong": []}
    for kind, total in counts.items():
        outcomes: Counter[str] = Counter()
        longest, grown = 0.0, 0.0
        for start in range(first, first + total, CHUNK):
            found = run_chunk(kind, start, min(CHUNK, first + total - start))
            outcomes.update(found["outcomes"])
            record["wrong"] += found["wrong"]
            longest, grown = max(longest, found["longest"]), max(grown, found["grown_mb"])
            print(f"{kind} {start}: {dict(outcomes)}, wrong {len(record['wrong'])}", file=sys.stderr, flush=True)
        record["kinds"][kind] = {**outcomes, "longest_seconds": round(longest, 2), "grown_mb": round(grown)}
    return record


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind, count in COUNTS.items():
        parser.add_argument(f"--{kind}", type=int, default=count, help="how many files of this kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first file of each kind")
    parser.add_argument("--chunk", choices=COUNTS, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.chunk:
        print(json.dumps(read_chunk(given.chunk, given.first, given.count)))
        sys.exit(0)
    begin = time.time()
    found = fuzz({kind: getattr(given, kind.replace("-", "_")) for kind in COUNTS}, given.first)
    found |= {"seconds": round(time.time() - begin), "load": [round(x, 1) for x in os.getloadavg()]}
    print(json.dumps(found, indent=2))
    make_folder(ROOT / "results")
    append_json_line(ROOT / "results" / "fuzz.jsonl", found | circumstances("cpu"))
    sys.exit(1 if found["wrong"] else 0)
