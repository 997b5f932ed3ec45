"""Every call of the modules that state shapes is checked, by an import hook that is there under pytest alone."""

import importlib
from collections.abc import Iterator
from typing import Any, no_type_check

import jaxtyping
import pytest
from beartype import BeartypeConf, beartype

__all__ = ["CHECKED", "check_shapes", "checked_layers", "unchecked"]

CHECKED = (
    "ganforget.evaluation.auc",
    "ganforget.evaluation.by_label",
    "ganforget.evaluation.calibration",
    "ganforget.evaluation.frechet",
    "ganforget.evaluation.kid",
    "ganforget.evaluation.manifold",
    "ganforget.evaluation.measures",
    "ganforget.evaluation.stop_rule",
    "ganforget.evaluation.substitution",
    "ganforget.inversion.invert",
    "ganforget.models.latents",
    "ganforget.models.layers",
    "ganforget.models.memory",
    "ganforget.models.micro_batch",
    "ganforget.models.scoring",
    "ganforget.models.stylegan2",
    "ganforget.substitute",
    "ganforget.training.losses",
    "ganforget.unlearning.fake_label",
    "ganforget.unlearning.losses",
)
OUTSIDE = ("safetensors.torch", "scipy.stats", "torch")
"""What the modules import; under the hook it would be compiled anew, into files beside its own."""

typechecked = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""An int passes for a float, as with pyright."""


def check_shapes() -> None:
    """Check the modules from now on; called before any of them is imported."""
    for name in OUTSIDE:
        importlib.import_module(name)
    jaxtyping.install_import_hook(CHECKED, f"{__name__}.typechecked")
    for layer in _layers():
        no_type_check(layer)


def _layers() -> list[Any]:
    """Return what G and D call so often that a step of a small GAN takes a quarter longer where it is checked."""
    layers = importlib.import_module("ganforget.models.layers")
    found = [getattr(layers, name) for name in (*layers.__all__, "activation_gain")]
    return [getattr(layer, "forward", layer) for layer in found]


@pytest.fixture(scope="module")
def checked_layers() -> Iterator[None]:
    """Check the layers as well: for the tests of the networks."""
    for layer in _layers():
        layer.__no_type_check__ = False
    yield
    for layer in _layers():
        layer.__no_type_check__ = True


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave everything unchecked, as it is for users: for stand-ins, and for what the code itself refuses."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
