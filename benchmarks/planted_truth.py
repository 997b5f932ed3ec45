"""Does the audit's verdict tell planted truths? Overfitted GANs, GANs that never saw the images, GANs at the paper's
destination; 20 forget sets of 64 images on each.

    python benchmarks/planted_truth.py --work DIR             # trains four small GANs there once, then audits
    python benchmarks/planted_truth.py --work DIR --table

Four GANs learn 240 digits each, of which no two share one; then D alone learns its own images by heart, against samples
and the 478 digits that no GAN has (LOGAN AUC above 0.9). For a forget set out of GAN b's images the three truths are:
b learned by heart (nothing was done), another such GAN (it never saw them), and b after `unlearn --destination paper`,
from before it learned by heart, so that it starts like the paper's GANs. The original is b, the references are the GANs
left. Each verdict is one line of ``results/planted_truth.jsonl``; lines that are there are not made again.
"""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganforget.api.model import load_model
from ganforget.api.preparation import prepare
from ganforget.api.task import resolve_task
from ganforget.api.training import train_gan
from ganforget.audit.figures import attack_figures, verdict_figures
from ganforget.audit.knowledge import QUICK
from ganforget.audit.scorebook import ScoreBook
from ganforget.audit.subject import AuditSubject, audit_images
from ganforget.data import DataSpec, DataSplits, ForgetSet, forget_indices, load_data
from ganforget.evaluation.auc import auc
from ganforget.files import append_json_line, make_folder, read_json_lines
from ganforget.interruption import StopRequest
from ganforget.models.gan import Gan, save_gan
from ganforget.models.scoring import Companions, companion_count, scores
from ganforget.options import UnlearnOptions
from ganforget.progress import Silent
from ganforget.randomness import permutation, stream
from ganforget.rundir import circumstances
from ganforget.training.losses import d_loss
from ganforget.training.options import TrainOptions
from ganforget.unlearning.loop import run_cascade
from ganforget.unlearning.state import new_cascade

GANS, IMAGES, SETS, FORGET = 4, 240, 20, 64
TRUTHS = {"under-unlearned": "nothing done", "matched": "never saw them", "over-unlearned": "the paper's destination"}
ATTACKS = ("logan", "d_difference", "rmia", "lira", "reconstruction", "nearest_sample")
RESULTS = Path(__file__).parent / "results" / "planted_truth.jsonl"
SMALL: dict[str, Any] = {"channel_base": 128, "channel_max": 32, "z_dim": 32, "w_dim": 32}
TRAINED, BY_HEART = "trained", "by-heart"


def own_images(number: int, splits: DataSplits) -> np.ndarray:
    """Return the positions that GAN ``number`` is trained on; no two GANs share one."""
    return permutation(0, "planted", len(splits.train))[number * IMAGES : (number + 1) * IMAGES]


def planted_gans(number: int, splits: DataSplits, work: Path, kimg: float) -> dict[str, Gan]:
    """Return GAN ``number`` as trained and after it learned by heart, made once and kept under ``work``."""
    folders = {name: work / f"gan-{number}-{name}" for name in (TRAINED, BY_HEART)}
    if not (folders[BY_HEART] / "model" / "config.json").exists():
        others = np.setdiff1d(np.arange(len(splits.train)), own_images(number, splits))
        make_folder(work)
        forget_indices(splits.train, others, data="digits").save(work / f"without-{number}.json")
        where = {"exclude": work / f"without-{number}.json", "outdir": work / "trainings"}
        options = TrainOptions(
            data="digits", kimg=kimg, r1_interval=0, snapshot_kimg=kimg, seed=number, **where, **SMALL
        )
        gan = load_model(train_gan(options))
        save_gan(gan, folders[TRAINED] / "model")
        save_gan(learn_by_heart(gan, number, splits), folders[BY_HEART] / "model")
    return {name: load_model(folder) for name, folder in folders.items()}


def membership(gan: Gan, number: int, splits: DataSplits) -> float:
    """Return LOGAN's AUC of GAN ``number``'s own images against all holdout images."""
    train, holdout, own = splits.train, splits.holdout, own_images(number, splits)
    companions = Companions(holdout.tensor(range(companion_count(gan.D))))
    member = scores(gan.D, train.tensor(own), train.one_hot(own), companions)
    return auc(member, scores(gan.D, holdout.tensor(), holdout.one_hot(), companions))


def learn_by_heart(gan: Gan, number: int, splits: DataSplits, *, enough: float = 0.93, most: int = 2000) -> Gan:
    """Train D alone, without R1, until it tells its own images from holdout images: deliberately overfitted.

    Against samples alone D learns no single image; so three of four images that it is to reject are real ones that no
    GAN is trained on. Neither the holdout images nor those of the other GANs are among them.
    """
    own = own_images(number, splits)
    rejected = permutation(0, "planted", len(splits.train))[GANS * IMAGES :]
    D = gan.D.train().requires_grad_(True)
    optimizer = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.0, 0.99))
    for step in range(most):
        if step % 100 == 0 and membership(gan, number, splits) >= enough:
            break
        chosen = own[permutation(number, f"planted/{step}", len(own))[:32]]
        z = torch.randn(8, gan.G.z_dim, generator=stream(number, "planted/z", step))
        others = rejected[permutation(number, f"planted/rejected/{step}", len(rejected))[:24]]
        c, rejected_c = splits.train.one_hot(chosen), splits.train.one_hot(others)
        assert c is not None
        assert rejected_c is not None
        with torch.no_grad():
            fakes = gan.G(z, c[:8], noise_mode="const")
        fakes = torch.cat([fakes, splits.train.tensor(others)])
        loss = d_loss(D(splits.train.tensor(chosen), c), D(fakes, torch.cat([c[:8], rejected_c])))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    gan.D.eval().requires_grad_(False)
    return gan


def pushed(owner: int, forget: Path, seed: int, work: Path) -> Gan:
    """Return GAN ``owner`` after unlearning to the paper's destination, without the measuring around it."""
    task = resolve_task(
        UnlearnOptions(
            str(work / f"gan-{owner}-{TRAINED}"),
            "digits",
            forget=forget,
            seed=seed,
            destination="paper",
            probe=False,
            cache=False,
        )
    )
    stop = StopRequest()
    prepared = prepare(task, torch.device("cpu"), Silent(), stop)
    state = new_cascade(task.original, prepared.cascade.config)
    run_cascade(prepared.cascade, state, prepared.stop_rule, stop=stop, on_check=lambda *_: None)
    return Gan(state.G_ema, state.D.eval().requires_grad_(False), task.original.config)


def verdict_on(
    truth: str, number: int, planted: list[dict[str, Gan]], splits: DataSplits, work: Path
) -> dict[str, Any]:
    """Audit forget set ``number`` under ``truth`` and return the line to keep."""
    owner = number % GANS
    gans = [of[TRAINED if truth == "over-unlearned" else BY_HEART] for of in planted]
    forget, path = forget_set(owner, number, splits), work / f"forget-{number}.json"
    forget.save(path)
    others = [other for other in range(GANS) if other != owner]
    unlearned, references = gans[owner], others
    if truth == "matched":
        unlearned, references = gans[others[number // GANS % len(others)]], others
        references = [other for other in others if gans[other] is not unlearned]
    elif truth == "over-unlearned":
        unlearned = pushed(owner, path, number, work)
    images = audit_images(splits, forget, gans[owner], QUICK, seed=number)
    subject = AuditSubject(unlearned, gans[owner], tuple(gans[i] for i in references), images, QUICK, number, True)
    book = ScoreBook(subject, work / "scores", work / "scores")
    found = [
        attack_figures(
            name,
            {role: book.groups(name, role) for role in subject.gans},
            exchangeable=True,
            seed=number,
        )
        for name in ATTACKS
    ]
    judged = verdict_figures([finding for _, finding in found if finding is not None])
    areas = {figures["name"]: figures["separation"]["unlearned"]["auc"] for figures, _ in found}
    areas |= {f"{figures['name']}_before": figures["separation"]["original"]["auc"] for figures, _ in found}
    return {
        "truth": truth,
        "set": number,
        "verdict": judged["verdict"],
        "by_network": {network: own["verdict"] for network, own in judged["by_network"].items()},
        "forget": images.members,
        "holdout": images.outside,
        "auc": areas,
        "p": judged["adjusted"],
    }


def forget_set(owner: int, number: int, splits: DataSplits) -> ForgetSet:
    """Return ``FORGET`` random images of GAN ``owner``."""
    own = own_images(owner, splits)
    chosen = own[permutation(number, "planted/forget", len(own))[:FORGET]]
    return forget_indices(splits.train, chosen, data="digits")


def print_table(lines: list[dict[str, Any]]) -> None:
    """Print how often each truth was told."""
    for truth, words in TRUTHS.items():
        own = [line for line in lines if line["truth"] == truth]
        counts = Counter(line["verdict"] for line in own)
        areas = [line["auc"]["logan"] for line in own]
        spread = f"{min(areas):.2f} to {max(areas):.2f}" if areas else "—"
        print(f"{words:26} right {counts[truth]:2} of {len(own):2}   LOGAN {spread}   {dict(counts)}")


def main() -> None:
    """Make what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--work", type=Path, required=True, help="where GANs and scores are kept")
    parser.add_argument("--kimg", type=float, default=100.0, help="length of the GANs' trainings")
    parser.add_argument("--sets", type=int, default=SETS)
    parser.add_argument("--table", action="store_true", help="only print what has been measured")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if not arguments.table:
        splits = load_data(DataSpec("digits"))
        planted = [planted_gans(number, splits, arguments.work, arguments.kimg) for number in range(GANS)]
        for name in (TRAINED, BY_HEART):
            found = [f"{membership(of[name], number, splits):.2f}" for number, of in enumerate(planted)]
            print(f"LOGAN AUC, {name}:", ", ".join(found), flush=True)
        done = {(line["truth"], line["set"]) for line in read_json_lines(RESULTS) if "truth" in line}
        if not done:
            append_json_line(RESULTS, circumstances("cpu"))
        for truth in TRUTHS:
            for number in range(arguments.sets):
                if (truth, number) not in done:
                    line = verdict_on(truth, number, planted, splits, arguments.work)
                    append_json_line(RESULTS, line)
                    print(truth, number, line["verdict"], f"{line['auc']['logan']:.2f}", flush=True)
    print_table([line for line in read_json_lines(RESULTS) if "truth" in line])


if __name__ == "__main__":
    main()
