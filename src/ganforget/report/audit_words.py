"""The verdict of an audit in words for whoever answers for the data."""

from dataclasses import dataclass
from typing import Any

from ganforget.report.numerals import plural

__all__ = ["VerdictWords", "asked", "attack_meaning", "role_name", "verdict_words"]


@dataclass(frozen=True)
class VerdictWords:
    """A state of the page ("reached", "missed" or "stopped"), a heading, and what it means."""

    state: str
    label: str
    sentence: str
    meaning: str


_WORDS = {
    "under-unlearned": (
        "missed",
        "Under-unlearned",
        "Somebody who attacks this network can still tell that the forgotten images were trained on.",
        "The forgotten images have not been forgotten. On this evidence the network should not be used in place of the "
        "original.",
    ),
    "over-unlearned": (
        "missed",
        "Over-unlearned",
        "The forgotten images stand out, not because they look trained on, but because they look treated.",
        "The network knows these images well enough to avoid them, and whoever turns the sign of the attack around "
        "recognises them. Forgetting went past its aim: it left a fingerprint of its own.",
    ),
    "matched": (
        "reached",
        "Matched",
        "To the attacks of this audit the forgotten images look like images that were never trained on.",
        "That is how a network trained without them behaves. It is evidence within the limits below, not proof that "
        "nothing is left.",
    ),
    "cannot tell": (
        "stopped",
        "Cannot tell",
        "This audit can neither find a trace of the forgotten images nor rule one out.",
        "It is no pass. More forgotten images, more unseen images or retrained GANs would give an answer.",
    ),
}


_WORDS_BY_SHAPE = {
    "under-unlearned": (
        "missed",
        "Under-unlearned",
        "Somebody who attacks this network can still tell that some of the forgotten images were trained on.",
        "On average the forgotten images are scored like unseen ones, but more of them than there should be are among "
        "the highest scores: some have not been forgotten. On this evidence the network should not be used in place of "
        "the original.",
    ),
    "over-unlearned": (
        "missed",
        "Over-unlearned",
        "The forgotten images stand out, not because they look trained on, but because their scores are spread "
        "otherwise than those of unseen ones.",
        "On average they are scored like unseen images, so it is no use to turn the sign of the attack around; but "
        "whoever knows how unseen images are scored can tell the two groups apart. Forgetting left a fingerprint of "
        "its own.",
    ),
}
"""Words for verdicts that the shape of scores decided, not how high they are."""


def verdict_words(audit: dict[str, Any]) -> VerdictWords:
    """Return what the verdict means; an audit of an older version does not say whether shapes decided it."""
    verdict = audit["verdict"]
    words = _WORDS_BY_SHAPE if verdict.get("by_shape") else _WORDS
    return VerdictWords(*words[verdict["verdict"]])


def asked(audit: dict[str, Any]) -> str:
    """Return what was to be forgotten: "64 images", "class 7"."""
    if audit["task"] != "class":
        return plural(audit["n_forget"], "image")
    labels = " and ".join(str(label) for label in audit["classes"])
    return f"class {labels}" if len(audit["classes"]) == 1 else f"classes {labels}"


def role_name(role: str) -> str:
    """Return how a GAN is called on the page."""
    return f"retrained {int(role.removeprefix('retrained-')) + 1}" if role.startswith("retrained-") else role


_MEANINGS = {
    "logan": "The discriminator’s own score.",
    "d_difference": "What unlearning did to the score of each image.",
    "rmia": "The score, next to how retrained GANs score the same image and how this one scores other images.",
    "lira": "The score, less what retrained GANs give the same image.",
    "reconstruction": "How well the generator can be made to make the image again.",
    "reconstruction_calibrated": "The same, less how well retrained GANs can.",
    "nearest_sample": "How near the nearest of many generated images comes.",
    "monte_carlo": "How many generated images fall near the image.",
    "partial_black_box": "How near an attacker comes who may choose the generator’s input, image after image.",
    "latent_search": "How well a patient search finds the image inside the generator.",
    "relearning": "How much training on a few of the forgotten images brings the others back.",
    "relearning_neighbours": "How much training on kept images that look like forgotten ones brings these back.",
}


def attack_meaning(name: str) -> str:
    """Return what an attack looks at, in a sentence."""
    return _MEANINGS.get(name, "")
