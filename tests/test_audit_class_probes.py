"""What is left of a class: shares, embeddings and a search, with a classifier that reads brightness."""

from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit_worlds import TINY, knowledge
from ganforget.audit.attacks.class_remains import class_remains
from ganforget.audit.attacks.latent_search import class_search
from ganforget.audit.knowledge import Targets
from ganforget.data import one_hot
from ganforget.models.classifier import Classifier
from ganforget.randomness import sample_latents
from small_gan import small_gan


class Brightness(nn.Module):
    """Reads an image as class 0 where it is darker than the cut, else as class 1; class 2 never."""

    def __init__(self, cut: float, slope: float = 20.0) -> None:
        super().__init__()
        self.cut, self.slope = nn.Parameter(torch.tensor(cut)), slope

    def forward(self, images: Tensor) -> Tensor:
        mean = (images.mean(dim=[1, 2, 3]) - self.cut) * self.slope
        return torch.stack([-mean, mean, torch.full_like(mean, -50.0)], dim=1)


def reader(cut: float = 0.0) -> Classifier:
    return cast(Classifier, Brightness(cut))


@torch.no_grad()
def test_class_remains_by_loops():
    gan, original, count = small_gan(seed=1), small_gan(seed=2), 10
    z = sample_latents(0, "audit/class_remains", range(count), 8)
    labels = [one_hot([y], 3) for y in range(3)]
    means = [[float(gan.G(z[i : i + 1], c, noise_mode="const").mean()) for i in range(count)] for c in labels]
    cut = float(np.median(means[1]))
    found = class_remains(gan, original, 1, reader(cut), count=count, seed=0)
    assert found["recall"] == pytest.approx(np.mean([m > cut for m in means[1]]))
    assert found["neighbour"] == pytest.approx(max(np.mean([m > cut for m in means[y]]) for y in (0, 2)))
    carried = [gan.G.synthesis(original.G.mapping(z[i : i + 1], labels[1]), noise_mode="const") for i in range(count)]
    assert found["from_original"] == pytest.approx(np.mean([float(image.mean()) > cut for image in carried]))

    def mean_latent(g: nn.Module, c: Tensor) -> Tensor:
        return torch.stack([g.mapping(z[i : i + 1], c)[0, 0] for i in range(count)]).mean(dim=0)  # type: ignore[operator]

    before = [mean_latent(original.G, c) for c in labels]
    between = np.mean([float((before[a] - before[b]).norm()) for a, b in ((0, 1), (0, 2), (1, 2))])
    moved = float((mean_latent(gan.G, labels[1]) - before[1]).norm())
    assert found["embedding"] == pytest.approx(moved / between, rel=1e-4)


def test_nothing_has_moved_in_the_original_itself():
    gan = small_gan(seed=1)
    found = class_remains(gan, gan, 0, reader(), count=6, seed=0)
    assert found["embedding"] == 0
    assert found["from_original"] == found["recall"]


def test_the_search_finds_what_can_be_made_and_nothing_else():
    gan, held = small_gan(seed=1), knowledge()
    real = Targets(torch.ones(2, 1, 8, 8), None)
    at_once = class_search(gan, 1, real, reader(cut=-100.0), held, starts=6)
    assert (at_once.found, at_once.steps) == (1, 0)
    never = class_search(gan, 1, real, reader(cut=100.0), held, starts=6)
    assert (never.found, never.steps) == (0, TINY.inversion_steps)
    assert never.distance > 0
