"""The two presets, and how a user's options change them."""

from dataclasses import replace
from typing import Any

from ganforget.errors import InputError
from ganforget.options import Destination, Mode, SubstituteName, Task, UnlearnOptions
from ganforget.unlearning.config import CascadeConfig

__all__ = ["DEFAULT", "PAPER", "PERTURBATION", "cascade_config"]

DEFAULT: dict[Mode, dict[str, Any]] = {"few-shot": {"auc_margin": 0.05}, "zero-shot": {"auc_margin": 0.14}}
"""Ours; what is not here stands in CascadeConfig. Zero-shot estimates auc_lu from samples, which drift less."""

DEFAULT_CLASS: dict[str, dict[str, Any]] = {
    "other-class": {"anchor": 2.0, "g_learning_rate": 6e-3, "max_steps": 3000, "schedule_steps": 80},
    "average": {"anchor": 2.0, "g_learning_rate": 6e-3, "max_steps": 400, "schedule_steps": 80},
}
"""By the substitute of a class. A class pulls less at the others than an item at its neighbours, so that G may move
faster; an average image of a class, which may never be far from the class, ends sooner."""

_STEP_OF_G = {"substitute_batch_size": 4, "anchor_batch_size": 20}
"""Images that a step of G gives a substitute, and its anchors. It is anchors that a step needs many of: with 16 of each
G takes as many steps, each of 32 images in place of 24 (docs/LOG.md)."""

_MANY = 64
"""Of more images than these each is in fewer of the steps, while anchors are in all."""

_WIDEST_BATCH: dict[Mode, int] = {"few-shot": 64, "zero-shot": 32}
"""Most images of each kind in a step of D."""

_STEPS_PER_IMAGE = 12
"""Most steps for each of many images before the cascade gives up."""

PERTURBATION = 0.75
"""How far three retrained digits GANs lie from the original on unseen images: 0.72 to 0.87 of its scores' spread."""

PAPER: dict[str, Any] = {
    "g_learning_rate": 2.5e-3,
    "d_learning_rate": 2.5e-3,
    "momentum": 0.0,
    "schedule_steps": 50,
    "max_steps": 1000,
    "batch_size": 64,
    "ema_steps": 156.0,
    "check_interval": 5,
    "margin": 0.0,
    "auc_margin": 0.0,
}
"""The paper's plain algorithm. The paper names neither rates nor schedule nor average: these are those of our training,
whose half-life is 10 kimg."""


def cascade_config(options: UnlearnOptions, task: Task, substitute: SubstituteName, *, n_forget: int) -> CascadeConfig:
    """Return the cascade that ``options`` ask for, with ``n_forget`` images to forget."""
    names = ("anchor", "max_steps", "schedule_steps", "perturbation")
    given: dict[str, Any] = {name: getattr(options, name) for name in names}
    destination = _destination(options, task)
    if task == "class":
        of_task = DEFAULT_CLASS.get(substitute, {})
    else:
        of_task = _given_images(n_forget) | (_wide_batch(options.mode, n_forget) if destination != "calibrated" else {})
    config = CascadeConfig(
        task=task,
        mode=options.mode,
        substitute=substitute,
        preset=options.preset,
        destination=destination,
        perturbation=PERTURBATION if destination == "calibrated" else 0.0,
        lambda1=options.lambda1,
        lambda2=options.lambda2,
        seed=options.seed,
        micro_batch=options.micro_batch,
        **(PAPER if options.preset == "paper" else DEFAULT[options.mode] | of_task),
    )
    return replace(config, **{name: value for name, value in given.items() if value is not None})


def _given_images(n_forget: int) -> dict[str, Any]:
    """Return how G learns to give up images; many of them have a weaker anchor and more steps."""
    share = (_MANY / max(n_forget, _MANY)) ** 0.25
    return {
        **_STEP_OF_G,
        "anchor": CascadeConfig.anchor * share,
        "max_steps": max(CascadeConfig.max_steps, _STEPS_PER_IMAGE * n_forget),
    }


def _wide_batch(mode: Mode, n_forget: int) -> dict[str, Any]:
    """Return what lets D score many images below the others: more of them in a step of D, and a higher rate.

    In zero-shot D's heads beside take the same step, so that it costs five times as much.
    """
    if n_forget <= _MANY:
        return {}
    size = round(CascadeConfig.batch_size * (n_forget / _MANY) ** 0.5)
    return {"d_batch_size": min(size, _WIDEST_BATCH[mode]), "d_learning_rate": 2 * CascadeConfig.d_learning_rate}


def _destination(options: UnlearnOptions, task: Task) -> Destination:
    """Return the destination that was asked for, or the default of the task."""
    if options.preset == "paper":
        if options.destination == "separated":
            raise InputError("--preset paper ends by the paper's own rule; leave --destination separated out.")
        return "paper"
    if options.destination == "default":
        return "calibrated" if task == "item" and options.fake_label == "auto" else "separated"
    if options.destination == "calibrated" and task == "class":
        raise InputError("--destination calibrated is for images, and this forget set is a class; use separated.")
    return options.destination
