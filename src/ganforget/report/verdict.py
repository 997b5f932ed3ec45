"""The top of the page: what was asked, what happened, what was reached, and what leaks all the same."""

from dataclasses import dataclass
from typing import Any

from ganforget.report.goal import Goal, rule_text
from ganforget.report.measure import ratio
from ganforget.report.numerals import count, decimal, duration, plural, significant

__all__ = ["Glance", "Leak", "Verdict", "cost_sentence", "glances", "leak", "request", "verdict"]

PAPER_ITEM_GOALS = (Goal("auc_lu", ">", 0.8),)
SEPARATED_ITEM_GOALS = (Goal("auc_lu", ">", 0.8), Goal("substitution", "≤", 0.25))
OWNERS = {"paper": "paper’s"}


@dataclass(frozen=True)
class Verdict:
    """A state ("reached" or "missed"), its label, one sentence, and what must be added to it."""

    state: str
    label: str
    sentence: str
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Leak:
    """What the scores tell about the forget images: a state ("leak", "even" or "unknown") and its words."""

    state: str
    heading: str
    sentence: str


@dataclass(frozen=True)
class Glance:
    """A figure before and after, large."""

    name: str
    key: str
    before: str
    after: str
    note: str


def request(results: dict[str, Any]) -> str:
    """Return what was to be unlearned: "64 images", "class 7"."""
    if results["task"] != "class":
        return plural(results.get("n_forget"), "image") if results.get("n_forget") is not None else "images"
    classes = [str(label) for label in results.get("classes") or []]
    if len(classes) < 2:
        return f"class {classes[0]}" if classes else "a class"
    return f"classes {', '.join(classes[:-1])} and {classes[-1]}"


def verdict(results: dict[str, Any], data: str | None, goals: dict[str, Goal]) -> Verdict:
    """Return the verdict in one sentence, with the remarks that a careful reader needs."""
    asked = "Asked to unlearn " + request(results) + (f" of {data}" if data else "")
    destination = _destination(results)
    steps, limit = results["steps"], results.get("max_steps")
    of_limit = f" of at most {count(limit)}" if limit is not None else ""
    if not results["reached"]:
        sentence = f"{asked}, the run did not reach {destination}; it stopped after {count(steps)}{of_limit} steps."
        remark = "On this evidence the network that it left should not be used in place of the original."
        return Verdict("missed", "Destination not reached", sentence, (remark, *_other_destination(results)))
    sentence = f"{asked}, the run reached {destination} after {count(steps)}{of_limit} steps."
    remarks = (*_contradictions(results, goals), *_other_destination(results))
    return Verdict("reached", "Destination reached", sentence, remarks)


def _destination(results: dict[str, Any]) -> str:
    name = results.get("destination")
    words = f"the {OWNERS.get(name, name)} destination" if name else "its destination"
    rule = results.get("destination_rule")
    return f"{words} ({rule_text(rule)})" if rule else words


def _contradictions(results: dict[str, Any], goals: dict[str, Goal]) -> list[str]:
    after = results.get("after") or {}
    missed = [goal for goal in goals.values() if after.get(goal.key) is not None and not goal.met(after[goal.key])]
    return [
        f"The stop check during the run saw {goal.key} {goal.text}; the full evaluation afterwards measures "
        f"{significant(after[goal.key])}, which is short of it."
        for goal in missed
    ]


def _other_destination(results: dict[str, Any]) -> list[str]:
    """Say how the run stands to the destination that it did not use (items only: a class has its own)."""
    name, after = results.get("destination"), results.get("after") or {}
    if results["task"] != "item" or name not in ("separated", "paper"):
        return []
    goals = PAPER_ITEM_GOALS if name == "separated" else SEPARATED_ITEM_GOALS
    other = "paper’s" if name == "separated" else "separated"
    rule = " and ".join(f"{goal.key} {goal.text}" for goal in goals)
    values = [after.get(goal.key) for goal in goals]
    if None in values:
        return []
    met = all(goal.met(after[goal.key]) for goal in goals)
    figures = ", ".join(f"{goal.key} {significant(after[goal.key])}" for goal in goals)
    return [
        f"By the full evaluation, the {other} destination ({rule}) is {'met too' if met else 'not met'}: {figures}."
    ]


def leak(results: dict[str, Any]) -> Leak:
    """Return what the discriminator’s scores still betray, in both directions."""
    value = (results.get("after") or {}).get("auc_ut")
    retrained = (results.get("retrained") or {}).get("auc_ut")
    yardstick = f"{decimal(retrained, 2)} was measured" if retrained is not None else "about 0.5 would be expected"
    compare = f"For a GAN retrained without the forget images, {yardstick}."
    if retrained is None and results.get("by_label"):
        compare = (
            "For a GAN retrained without them, about 0.5 would be expected if they were like the other images of their "
            "label; they were not drawn at random, so only such a GAN tells."
        )
    if value is None:
        sentence = (
            "Whether the scores still tell forget images from images never trained on (auc_ut) was not "
            "measured here. In the paper it falls to 0.15–0.23, which lets anyone who flips the sign "
            "recognise them. " + compare
        )
        return Leak("unknown", "The destination may itself be detectable", sentence)
    given = f"auc_ut is {decimal(value, 2)} after the run"
    if value < 0.4:
        sentence = (
            f"The forget images now score suspiciously low: {given}. Whoever flips the sign picks the forget "
            "image out of a pair with an image never trained on with probability "
            f"{decimal(1 - value, 2)}. {compare} "
            "Do not hand out the discriminator with the generator, and do not take a low score for absence."
        )
        return Leak("leak", "The destination is itself detectable", sentence)
    if value > 0.6:
        sentence = f"The forget images still score like training images: {given}. {compare}"
        return Leak("leak", "The scores still give the forget images away", sentence)
    sentence = (
        f"On average the scores favour neither forget images nor images never trained on: {given}. {compare} "
        "This is one simple attack; a stronger one may still succeed."
    )
    return Leak("even", "No average difference in the scores", sentence)


def glances(results: dict[str, Any], fd_name: str | None) -> list[Glance]:
    """Return the four figures that matter most for the task."""
    before, after = results["before"], results.get("after") or {}
    r = ratio(before, after)
    distance = fd_name or "Fréchet distance"
    kept = Glance(
        f"{distance} to the retain images",
        "fd_l",
        decimal(before.get("fd_l"), 2),
        decimal(after.get("fd_l"), 2),
        "not measured" if r is None else f"r = {decimal(r, 2)}; 1 is no loss",
    )
    accuracy = _glance(results, "acc", "Read as the label asked for", "should stay as it was")
    if results["task"] == "class":
        recall = _glance(results, "class_recall", "Read as the class to forget", "0 is none")
        away = _glance(results, "fd_u", f"{distance} to the class", "higher is further away", 2)
        return [recall, away, kept, accuracy]
    rank = _glance(results, "auc_lu", "Retain scored above forget", "0.5 is alike, 1 is always")
    if results.get("destination") == "calibrated":
        rank = _glance(results, "auc_ut", "Forget scored above never trained on", "0.5 is alike, as wanted")
    way = _glance(results, "substitution", "Distance left to the substitutes", "1 is unchanged, 0 is in place")
    return [rank, way, kept, accuracy]


def _glance(results: dict[str, Any], key: str, name: str, note: str, places: int = 2) -> Glance:
    before, after = results["before"].get(key), (results.get("after") or {}).get(key)
    missing = before is None and after is None
    return Glance(name, key, decimal(before, places), decimal(after, places), "not measured" if missing else note)


def cost_sentence(results: dict[str, Any]) -> str | None:
    """Return what the run cost, in time and in training images."""
    seconds, kimg = (results.get("seconds") or {}).get("total"), results.get("cost_kimg")
    if seconds is None:
        return None
    if kimg is None:
        return f"It took {duration(seconds)}."
    images = count(kimg * 1000)
    return f"It took {duration(seconds)}: the time in which this machine trains this network on {images} images."
