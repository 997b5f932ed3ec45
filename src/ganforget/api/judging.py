"""What the measures of a run amount to: whether its destination is reached, what to warn of, and what D still tells."""

from scipy.stats import t

from ganforget.api.preparation import Prepared
from ganforget.api.task import UnlearningTask
from ganforget.evaluation.calibration import AUC_AROUND_HALF, REC_GAP_LEVEL
from ganforget.evaluation.reference import Reference
from ganforget.evaluation.stop_rule import AUC_DESTINATION, RECALL_DESTINATION
from ganforget.evaluation.substitution import SUBSTITUTION_DESTINATION
from ganforget.unlearning.cascade import Check

__all__ = ["Measures", "class_destination", "is_reached", "leak", "measured_warnings"]

Measures = dict[str, float | None]


def class_destination(prepared: Prepared, reference: Reference | None) -> float | None:
    """Return where `fd_u` of a class has arrived; the stop checks' own destination is one of few samples."""
    if prepared.class_destination is None or reference is None:
        return prepared.class_destination
    return reference.class_destination


def is_reached(
    task: UnlearningTask, prepared: Prepared, after: Measures, check: Check, destination: float | None
) -> bool:
    """Say whether the measures are at the destination; an estimate serves where there are no data to measure."""
    ours = prepared.cascade.config.destination == "separated"
    on = "auc_lu_seen" if _by_learned(task) else "auc_lu"
    auc, fd_u, recall, share = (after.get(key) for key in (on, "fd_u", "class_recall", "substitution"))
    if after.get("auc_lu") is None:
        return check.reached
    assert auc is not None
    assert share is not None
    if prepared.cascade.config.destination == "calibrated":
        alike = after.get("auc_ut")
        even = check.d_reached if alike is None else abs(alike - 0.5) <= AUC_AROUND_HALF
        return even and share <= SUBSTITUTION_DESTINATION and _remade_alike(after)
    replaced = share <= SUBSTITUTION_DESTINATION or not ours
    if task.forget.task == "item":
        return auc > AUC_DESTINATION and replaced
    assert fd_u is not None
    assert destination is not None
    reached = fd_u > destination and replaced
    if ours:
        reached = reached and auc > AUC_DESTINATION
        if task.substitute == "other-class" and recall is not None:
            reached = reached and recall <= RECALL_DESTINATION
    return reached


def measured_warnings(task: UnlearningTask, after: Measures, unseen: int) -> list[str]:
    """Return what is to be said of the measures, with ``unseen`` holdout images scored."""
    said = (_learned_by_heart(task, after), _hardly_known(task, after, unseen))
    return [sentence for sentence in said if sentence is not None]


def leak(task: UnlearningTask, after: Measures) -> str | None:
    """Return what D's scores tell about the forgotten images all the same, in a sentence, or None."""
    auc = after.get("auc_ut")
    if auc is None or auc > 0.4:
        return None
    like = ", if they are like others of their label" if task.by_label else ""
    return (
        f"auc_ut is {auc:.2f}: whoever flips the sign of D's scores tells the forgotten images from images never seen "
        f"with {1 - auc:.2f}. A GAN retrained without them gives about 0.5{like}. Do not publish this discriminator."
    )


def _by_learned(task: UnlearningTask) -> bool:
    """Whether D's destination is over the retain images that it trains on, as the paper's may have been."""
    return task.options.preset == "paper" and task.options.mode == "few-shot"


def _learned_by_heart(task: UnlearningTask, after: Measures) -> str | None:
    """Say that the destination holds for the retain images that D trained on alone."""
    seen, unseen = after.get("auc_lu_seen"), after.get("auc_lu")
    if not _by_learned(task) or task.by_label or task.forget.task == "class" or seen is None or unseen is None:
        return None
    if seen <= AUC_DESTINATION or unseen > AUC_DESTINATION:
        return None
    return (
        f"D scores the forget images below the retain images that it was trained on (auc_lu_seen {seen:.2f}), but "
        f"hardly below other ones (auc_lu {unseen:.2f}): it has learned the former by heart."
    )


def _hardly_known(task: UnlearningTask, after: Measures, unseen: int) -> str | None:
    """Say that so few images tell `auc_ut` less exactly than its destination asks for."""
    area, error = after.get("auc_ut"), after.get("auc_ut_error")
    if task.config.destination != "calibrated" or area is None or error is None or 2 * error <= AUC_AROUND_HALF:
        return None
    return (
        f"auc_ut {area:.2f} is known to ±{2 * error:.2f} only (95 %), from {len(task.forget)} forget images and "
        f"{unseen} never trained on, and its destination is 0.5 ± {AUC_AROUND_HALF:g}: whether it is met is partly "
        "chance. More images never trained on (--holdout-path) or a larger forget set tell more."
    )


def _remade_alike(after: Measures) -> bool:
    """Whether fresh inversions make forget images as well as unseen ones, as far as the two were measured.

    Of few images one set may well be the easier one, so that Student's t is what the gap has to be within.
    """
    names = ("rec_u", "rec_t", "rec_gap_error", "rec_images")
    forgotten, unseen, error, images = (after.get(key) for key in names)
    if forgotten is None or unseen is None or error is None or images is None:
        return True
    return abs(forgotten - unseen) <= float(t.isf(REC_GAP_LEVEL / 2, images - 1)) * error
