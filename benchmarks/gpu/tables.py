"""Jobs 3 to 7: rows of tables on a GPU, as many as the time allows; called again, it goes on.

    python3 benchmarks/gpu/tables.py table-3 --model cifar10 --data-path /root/cifar10 --out $OUT

``--out`` keeps ``results.jsonl`` and the tables of the rows that are there. Bring the file back into ``--out`` before
the next call on another machine: rows that stand in it are not run again. The runs themselves (``--work``) stay there.
"""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

from clock import find_package, press_ctrl_c_after

find_package()

from ganforget.errors import Interrupted  # noqa: E402 (the source tree is found above)
from ganforget.experiments.options import ReproduceOptions  # noqa: E402
from ganforget.experiments.reproduce import reproduce  # noqa: E402
from ganforget.progress import Silent  # noqa: E402


class Printed(Silent):
    """Prints what runs come to. A device that has failed stays so: the first internal error ends the job."""

    def note(self, text: str) -> None:
        print(text, flush=True)

    def warn(self, text: str) -> None:
        print("warning:", text, flush=True)
        if "internal error" in text:
            raise Interrupted("An internal error; mend it, and call it again with --retry.")


def main() -> None:
    """Run the experiments for so many minutes, and keep rows and tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--model", required=True)
    parser.add_argument("--data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("/tmp/reproduction"))
    for option in ("--data-path", "--holdout-path", "--perceptual", "--classifier"):
        parser.add_argument(option, type=Path)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--seeds", type=int, nargs="*", default=[])
    parser.add_argument("--max-cost", type=float, default=60.0)
    parser.add_argument("--retrain-kimg", type=float)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--retry", action="store_true")
    parser.add_argument("--minutes", type=float, default=9)
    given = vars(parser.parse_args())
    names, out, work = given.pop("names"), given.pop("out"), given["work"]
    press_ctrl_c_after(given.pop("minutes"))
    work.mkdir(parents=True, exist_ok=True)
    if (out / "results.jsonl").exists() and not (work / "results.jsonl").exists():
        shutil.copy(out / "results.jsonl", work)
    given |= {"only": tuple(given["only"]), "seeds": tuple(given["seeds"]), "outdir": given.pop("work")}
    options = ReproduceOptions(**given)
    try:
        reproduce(tuple(names), options, Printed())
    except (Interrupted, KeyboardInterrupt) as stopped:
        print(stopped or "The time is up; call it again.")
        reproduce(tuple(names), replace(options, tables_only=True))
    out.mkdir(parents=True, exist_ok=True)
    for file in [work / "results.jsonl", *(work / f"{name}.{kind}" for name in names for kind in ("html", "md"))]:
        if file.exists():
            shutil.copy(file, out)


if __name__ == "__main__":
    main()
