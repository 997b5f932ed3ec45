"""What differs between the paper's setting and ours, in sentences: they stand above every comparison."""

from pathlib import Path
from typing import Any

from ganforget.data import DATA_NAMES
from ganforget.experiments.catalogue import CLASS_INVERSIONS, Experiment, Plan, Row
from ganforget.models.gan import Gan

__all__ = ["setting_differences"]

_NAMES = {"mnist": "MNIST", "cifar10": "CIFAR-10", "ffhq": "FFHQ at 256×256"}


def setting_differences(
    experiment: Experiment, plan: Plan, rows: list[Row], original: Gan, fd_names: list[str]
) -> list[str]:
    """Return the sentences for one experiment on one GAN."""
    target, G = plan.target, original.config.G
    runs = [c.options for row in rows for c in row.configurations if c.kind == "unlearn"]
    theirs = rows[0].published.setting.dataset
    said = [_network(target.name, original, _NAMES[theirs])]
    if target.data != theirs:
        size = f"{G['img_resolution']}×{G['img_resolution']}"
        said.append(_other_data(target.data, size, _NAMES[theirs]))
    if "r" in experiment.measures or "fd_l" in experiment.measures:
        said.append(_distances(fd_names))
    if "saving" in experiment.measures:
        said.append(
            "Seconds of two machines cannot be compared. Both sides are given as retraining ÷ unlearning, each on its "
            "own machine; ours counts inversion, cascade and stop checks."
        )
    if runs:
        said += _runs(runs, plan, target.perceptual is not None)
    if plan.retrain_kimg:
        said.append(
            f"Retraining is training as the original's, without the forget set, for {plan.retrain_kimg:g} kimg "
            f"({_length(original)}). The headline beside it takes the length at which it reaches the original's "
            "distance."
        )
    return said


def _other_data(data: str, size: str, theirs: str) -> str:
    """Return what is said of data that are not called as the paper's."""
    if data in DATA_NAMES:
        return (
            f"The data are a stand-in: {data} at {size} in place of {theirs}. What agrees or differs here says nothing "
            "about the paper's own figures."
        )
    return (
        f"The data are the images of {Path(data).resolve().name} at {size}. Whether they are {theirs} is not checked: "
        "of others, what agrees or differs here says nothing about the paper's own figures."
    )


def _length(original: Gan) -> str:
    seen = original.config.training.get("images_seen")
    return f"the original's {seen / 1000:g}" if seen else "the original's length is not recorded"


def _network(name: str, original: Gan, paper: str) -> str:
    weights = sum(value.numel() for network in (original.G, original.D) for value in network.parameters())
    seen = original.config.training.get("images_seen")
    length = f", trained on {seen / 1000:g} kimg" if seen else ""
    return (
        f"The GAN is {name}: a StyleGAN2 of {weights / 1e6:.1f} million weights{length}. The paper's were trained on "
        f"{paper} by the official code, on a GPU; it states neither size nor length."
    )


def _distances(fd_names: list[str]) -> str:
    if fd_names == ["FID"]:
        return "Fréchet distances are FIDs, as the paper's."
    named = " and ".join(fd_names) if fd_names else "on another network than Inception"
    return (
        f"Fréchet distances are {named}, not FIDs: only their ratios r can be compared, and for a class the ratio to "
        "the destination (the paper's 150; ours the distance from the class to its nearest other class)."
    )


def _runs(runs: list[dict[str, Any]], plan: Plan, perceptual: bool) -> list[str]:
    said = [
        f"The paper preset is the paper's plain algorithm with its F_label and its destination. It names neither "
        f"learning rates nor schedule: ours are those of our training. A run ends at {plan.max_cost:g} kimg, "
        "which the paper does not do, ours also at its most steps. It counts as reached by the measures after it: one "
        "that its running estimate ended can be short of them. The default preset is ours, with --destination "
        "separated, which is the paper's and the generator's, and F_label placed from D_0's scores but where a row "
        "names another."
    ]
    if any(run.get("invert") for run in runs):
        said.append(
            f"Of the class the paper preset inverts at most {CLASS_INVERSIONS} images, where the paper takes all; the "
            "default preset inverts 64. D sees all."
        )
    if any(run.get("lambda2") for run in runs):
        network = "the VGG16 of the file given" if perceptual else "the data set's classifier, not VGG"
        said.append(f"The perceptual distance of λ2 uses {network}.")
    said.append(
        "The paper gives one figure a cell, of one run it seems. Ours are means over the seeds, each with a forget set "
        "of its own. Over which learning images the paper took AUC l,u it does not say: ours is over retain images "
        "that the run never saw, and beside it over those that it trained on (few-shot). The paper preset's "
        "destination is over the latter in few-shot; in zero-shot a running estimate from samples stops it."
    )
    return said
