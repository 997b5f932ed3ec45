"""What a training run leaves at each snapshot: the resume state, the model, a sheet of samples, a few measures."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganforget.data import DataSplits, ImageDataset, one_hot
from ganforget.errors import NumericalError
from ganforget.evaluation.evaluate import evaluate
from ganforget.evaluation.protocol import EvaluationProtocol
from ganforget.evaluation.reference import Reference, find_classifier, measure_reference
from ganforget.evaluation.samples import quantise
from ganforget.files import append_json_line, make_folder, write_image_grid
from ganforget.models.gan import Gan, GanConfig, save_gan
from ganforget.models.memory import synthesise
from ganforget.models.scoring import Companions, companion_count, scores
from ganforget.randomness import permutation, sample_latents
from ganforget.training.config import TrainingConfig
from ganforget.training.state import TrainingState, save_state

__all__ = ["Snapshots", "require_finite", "write_real", "write_samples"]

_COLUMNS = 10
_ROWS = 10
_MEASURED = 500


@dataclass(eq=False)
class Snapshots:
    """Writes the snapshots of one training run into its folder."""

    run: Path
    networks: GanConfig
    config: TrainingConfig
    splits: DataSplits
    """The data, the training split without what is excluded."""
    excluded: str | None
    device: torch.device
    keep: bool
    """Keep the model of every snapshot."""
    reference: Reference | None = None

    def __post_init__(self) -> None:
        """Measure the real images once, where there is a classifier to measure with."""
        if find_classifier(self.splits) is None or len(self.splits.train) < 2 * _COLUMNS:
            return
        protocol = EvaluationProtocol(distance_count=_MEASURED, score_count=_MEASURED)
        members = permutation(self.config.seed, "snapshot/companions", len(self.splits.train))
        self.companions = members[: max(self.config.mbstd_group_size - 1, 0)]
        self.reference = measure_reference(self.splits, None, protocol, companions=self.companions, device=self.device)

    def write(self, state: TrainingState, *, measured: bool = True) -> dict[str, Any] | None:
        """Write everything that lets a run end here; NumericalError where a weight is no number any more."""
        require_finite(state)
        save_state(state, self.run / "checkpoint")
        gan = self.gan(state)
        save_gan(gan, self.run / "model")
        name = f"{round(state.images_seen / 1000):05d}"
        if self.keep:
            save_gan(gan, self.run / "snapshots" / name)
        write_samples(gan, self.run / "images" / f"fakes{name}.png", self.device)
        if self.reference is None or not measured:
            return None
        line = {"kimg": state.images_seen / 1000, **self.measure(gan, self.reference)}
        append_json_line(self.run / "log.jsonl", line)
        return line

    def gan(self, state: TrainingState) -> Gan:
        """Return the trained GAN as it is delivered: G_ema, D, and where they come from."""
        training = {
            "data": self.splits.record,
            "options": asdict(self.config),
            "images_seen": state.images_seen,
            "seconds": round(state.seconds, 1),
            "excluded": self.excluded,
        }
        return Gan(state.G_ema, state.D, GanConfig(self.networks.G, self.networks.D, training))

    def measure(self, gan: Gan, reference: Reference) -> dict[str, Any]:
        """Return the Fréchet distance, `acc` and `auc_lt` on a few hundred images; cheap, to watch a training."""
        companions = Companions(self.splits.train.tensor(self.companions[: companion_count(gan.D)]))
        found = evaluate(gan.G, lambda x, c: scores(gan.D, x, c, companions), reference).measures
        values = {"fd": found["fd_l"], "fd_floor": found["fd_floor"], "acc": found["acc"], "auc_lt": found["auc_lt"]}
        title = None if reference.extractor is None else reference.extractor.title
        return {"fd_name": title, **{k: None if v is None else float(f"{v:.6g}") for k, v in values.items()}}


def require_finite(state: TrainingState) -> None:
    """Raise NumericalError where a weight of ``state`` is NaN or infinite: a step after a sound loss can do that."""
    for network in (state.G, state.D, state.G_ema):
        if not all(bool(torch.isfinite(value).all()) for value in network.state_dict().values()):
            raise NumericalError(
                f"Weights became NaN or infinite before {state.images_seen / 1000:g} kimg; the last snapshot is kept. "
                "Go on from it with a lower learning rate or a larger R1 weight."
            )


@torch.no_grad()
def write_samples(gan: Gan, path: Path, device: torch.device) -> None:
    """Write a sheet of samples, a row for each of the first classes, or ten rows without labels."""
    make_folder(path.parent)
    rows = min(gan.G.c_dim or _ROWS, _ROWS)
    z = sample_latents(0, "pictures", range(rows * _COLUMNS), gan.G.z_dim).to(device)
    labels = np.repeat(np.arange(rows), _COLUMNS)
    c = one_hot(labels, gan.G.c_dim).to(device) if gan.G.c_dim else None
    images = synthesise(gan.G, gan.G.mapping(z, c))
    write_image_grid(path, quantise(images).numpy(), _COLUMNS)


def write_real(train: ImageDataset, path: Path, *, conditional: bool) -> None:
    """Write a sheet of training images laid out as the samples are; black where a class has too few."""
    make_folder(path.parent)
    if not conditional or train.labels is None:
        write_image_grid(path, train.images[: _ROWS * _COLUMNS], _COLUMNS)
        return
    rows = min(train.num_classes, _ROWS)
    sheet = np.zeros((rows, _COLUMNS, *train.images.shape[1:]), np.uint8)
    for label in range(rows):
        members = np.flatnonzero(train.labels == label)[:_COLUMNS]
        sheet[label, : len(members)] = train.images[members]
    write_image_grid(path, sheet.reshape(-1, *train.images.shape[1:]), _COLUMNS)
