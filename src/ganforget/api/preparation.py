"""From a checked task to a cascade that can run: inversion, substitutes, anchors, fake label, stop rule."""

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ganforget.api.inverting import Inverted, invert_forget_images
from ganforget.api.task import UnlearningTask
from ganforget.api.watch import PROBES, folds_of, perturbed_original, watch_calibrated, watch_discriminator
from ganforget.evaluation.calibration import AUC_AROUND_HALF, REC_GAP_LEVEL, StopRuleCalibrated
from ganforget.evaluation.class_stop import class_stop_check, generated_destination, recorded_destination
from ganforget.evaluation.features import load_extractor
from ganforget.evaluation.reference import find_classifier
from ganforget.evaluation.stop_rule import DiscriminatorCheck, StopRuleForClass, StopRuleForItems
from ganforget.evaluation.substitution import GeneratorCheck
from ganforget.interruption import StopRequest
from ganforget.models.latents import latent_statistics
from ganforget.models.pictures import Pictures, first_pictures, load_pictures, mean_square
from ganforget.models.scoring import companion_count
from ganforget.models.vgg import load_vgg16
from ganforget.options import UnlearnOptions
from ganforget.progress import Progress
from ganforget.unlearning.cascade import Cascade, StopRule
from ganforget.unlearning.config import CascadeConfig
from ganforget.unlearning.fake_label import auto_fake_label, fake_label_warning
from ganforget.unlearning.losses import Perceptual
from ganforget.unlearning.material import Fixed, anchor_pool, fix_images, forget_latents
from ganforget.unlearning.turned import TurnedPictures, turned_away

__all__ = ["Prepared", "distance_rule", "prepare"]

_MAPPED_LATENTS = 1024


@dataclass(frozen=True, eq=False)
class Prepared:
    """A cascade ready to run, and what the result file says about it."""

    cascade: Cascade
    stop_rule: StopRule
    inverted: Inverted
    substitutes: Pictures
    """Final substitutes of the images that are to be given one, [n, C, H, W]."""
    fake_label_rule: str
    destination_rule: str
    class_destination: float | None
    warnings: tuple[str, ...]
    seconds: float
    """Of the preparation itself: anchors, substitutes, what D's trunk makes of them; without the inversion."""


def prepare(task: UnlearningTask, device: torch.device, progress: Progress, stop: StopRequest) -> Prepared:
    """Build the cascade of ``task``. In zero-shot nothing here looks at a retain or holdout image."""
    options, original = task.options, task.original.to(device)
    config = task.config
    statistics = latent_statistics(original.G, seed=options.seed)
    inverted = invert_forget_images(task, statistics, progress, stop)
    progress.stage("Preparing the cascade")
    started = time.perf_counter()
    work = inverted.inversion.work
    others = np.array([y for y in range(original.G.c_dim) if y not in task.forget.classes])
    count = PROBES + companion_count(original.D)
    samples = anchor_pool(original, others, count, seed=options.seed + 1_000_003, work=work)
    if config.perturbation:
        original = perturbed_original(original, samples, config.perturbation, work, seed=options.seed)
        task = replace(task, original=original)
        samples = fix_images(original.D, samples.images, samples.c, work, samples.ws)  # its trunk has changed
    images, labels = task.forget_images, task.forget_images.labels if original.G.c_dim else None
    c = _to(images.one_hot(), device, original.D.c_dim)
    forget = fix_images(original.D, load_pictures(images, device), c, work)
    pool = anchor_pool(original, others, config.pool, seed=options.seed, work=work)
    latents = forget_latents(
        original.G,
        inverted.substituted.ws,
        None if labels is None else labels[inverted.images],
        statistics,
        name=task.substitute,
        classes=task.forget.classes,
        mapped=_MAPPED_LATENTS,
        seed=options.seed,
        work=work,
    )
    retain, watch, forget_scores = watch_discriminator(task, forget, samples, work)
    calibration = None
    if config.destination == "calibrated":
        calibration, fake_label, label_rule = watch_calibrated(
            task, forget, forget_scores, samples, others, watch, work
        )
        fake_label = fake_label.to(device)
        warning = None
    else:
        fake_label, label_rule = _fake_label(options, forget_scores)
        warning = fake_label_warning(fake_label, forget_scores)
    cascade = Cascade(
        original,
        config,
        fake_label,
        forget,
        latents,
        pool,
        retain,
        _perceptual(task, device),
        folds=folds_of(task, watch),
        anchor_images=_anchor_images(config, pool, forget, inverted),
        work=work,
    )
    substitutes = first_pictures(latents.finals, latents.inverted)
    work.g_forward += len(substitutes)
    distance = mean_square(original.G, inverted.substituted.ws, substitutes)
    checks = (watch, GeneratorCheck(substitutes, distance))
    destination = None
    rule: StopRule
    if task.forget.task == "class":
        rule, text, destination = _class_rule(task, cascade, checks, device)
    elif calibration is not None:
        rule = StopRuleCalibrated(cascade, calibration, checks[1])
        text = f"|auc_ut − 0.5| ≤ {AUC_AROUND_HALF:g} and substitution ≤ 0.25"
        if options.reconstruct and task.splits is not None:
            text += f" and rec_u not told from rec_t at {REC_GAP_LEVEL:.0%}"
    else:
        rule = StopRuleForItems(cascade, *checks)
        text = f"{watch.auc_name} > 0.8" + (" and substitution ≤ 0.25" if config.destination == "separated" else "")
    return Prepared(
        cascade,
        rule,
        inverted,
        substitutes,
        label_rule,
        text,
        destination,
        () if warning is None else (warning,),
        time.perf_counter() - started,
    )


def _anchor_images(
    config: CascadeConfig, pool: Fixed, forget: Fixed, inverted: Inverted
) -> Pictures | TurnedPictures | None:
    """Return what G is held to: with the calibrated destination turned away from the images that it is to give up."""
    if config.destination != "calibrated":
        return None
    return turned_away(pool, forget.rows(torch.as_tensor(inverted.images, device=pool.images.device)))


def _to(c: Tensor | None, device: torch.device, c_dim: int) -> Tensor | None:
    return c.to(device) if c is not None and c_dim else None


def _fake_label(options: UnlearnOptions, forget_scores: Tensor) -> tuple[float, str]:
    """Return F_label and its rule."""
    if options.fake_label != "auto":
        return float(options.fake_label), "given"
    if options.preset == "paper":
        return 0.1, "given"  # the paper's value
    rule = "auto: mean of D_0's scores of the forget images less three standard deviations"
    return auto_fake_label(forget_scores), rule


def _perceptual(task: UnlearningTask, device: torch.device) -> Perceptual | None:
    """Return the network of λ2's term: VGG16 from the file that was named, else the data set's classifier."""
    if not task.options.lambda2:
        return None
    if task.options.perceptual is not None:
        return load_vgg16(task.options.perceptual).to(device)
    assert task.splits is not None
    classifier = find_classifier(task.splits, task.options.classifier)
    assert classifier is not None  # resolve_task has looked
    network = classifier.network.to(device).requires_grad_(False)
    return lambda images: [network.features(images)]


def distance_rule(destination: float) -> str:
    """Return the rule of a class's distance in words."""
    return f"fd_u > {destination:.4g}"


def _class_rule(
    task: UnlearningTask, cascade: Cascade, checks: tuple[DiscriminatorCheck, GeneratorCheck], device: torch.device
) -> tuple[StopRule, str, float]:
    """Return the stop rule of a class, its words, and the destination of fd_u."""
    classifier = None if task.splits is None else find_classifier(task.splits, task.options.classifier)
    extractor = load_extractor("auto", classifier=classifier, device=device)
    pixels, labels = task.forget_images.images, task.forget_images.labels
    assert labels is not None
    check = class_stop_check(extractor, pixels, labels, seed=task.options.seed, classifier=classifier, device=device)
    destination = recorded_destination(extractor, task.forget.classes)
    if destination is None:
        destination = generated_destination(task.original.G, check)
    text = distance_rule(destination)
    recall = cascade.config.destination == "separated" and task.substitute == "other-class" and classifier is not None
    if cascade.config.destination == "separated":
        text += " and substitution ≤ 0.25" + (" and class_recall ≤ 0.05" if recall else "") + " and auc_lu > 0.8"
    return StopRuleForClass(cascade, *checks, check, destination, recall), text, destination
