"""The way through the package on a CUDA device, played on the CPU: no operation takes tensors of two devices."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from ganforget.api import auditing, reconstruction, training, unlearning
from ganforget.api.audit_options import AuditOptions
from ganforget.api.auditing import run_audit
from ganforget.api.training import train_gan
from ganforget.api.unlearning import run_unlearning
from ganforget.evaluation import downstream
from ganforget.inversion.invert import InversionConfig
from ganforget.options import UnlearnOptions
from ganforget.training.options import TrainOptions
from pretend_cuda import CUDA, PretendCuda, copied_mark
from small_runs import save_digits_gan, take_few_steps


def test_what_a_gpu_would_refuse_is_noted():
    with PretendCuda() as device:
        here, there = torch.zeros(3), torch.zeros(3).to("cuda")
        assert there.device == CUDA
        assert (there + there)[:1].mean().device == CUDA
        assert there.cpu().device.type == "cpu"
        assert there[torch.tensor([0])].device == CUDA
        assert len(there + torch.tensor(1.0)) == len(torch.zeros(3, device=CUDA) + there) == 3
        assert not device.mixed
        torch.add(here, there)
        here.__getitem__(there.long())
        there.numpy()
        torch.randn(3, device="cuda", generator=torch.Generator())
        torch.cat([here, there])
    assert [text.rsplit(",", 1)[0] for text in device.mixed] == [
        "add of tensors on two devices",
        "a tensor on the CPU is indexed from the device",
        "numpy of a tensor on the device",
        "randn on the device with a generator of the CPU",
        "cat of tensors on two devices",
    ]


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PretendCuda]:
    """The device, on which every run is."""
    few = {"pool": 64, "check_interval": 2, "max_steps": 4, "schedule_steps": 2}
    take_few_steps(monkeypatch, steps=3, start_samples=8, **few)
    monkeypatch.setattr(reconstruction, "InversionConfig", partial(InversionConfig, steps=3, start_samples=8))
    monkeypatch.setattr(downstream, "DOWNSTREAM_SAMPLES", 64)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.nn.Parameter, "__deepcopy__", copied_mark(torch.nn.Parameter.__deepcopy__))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "pretended")
    for module in (unlearning, auditing, training):
        monkeypatch.setattr(module, "choose_device", lambda _: CUDA)
    with PretendCuda() as mode:
        yield mode


@pytest.mark.parametrize(
    "given",
    [
        {"forget_random": 8, "reconstruct": True, "downstream": True, "sham": True},
        {"forget_random": 8, "mode": "zero-shot"},
        {"forget_random": 32, "mode": "zero-shot", "destination": "separated"},
        {"forget_random": 8, "preset": "paper", "lambda2": 0.5, "fake_label": "0.1", "substitute": "projection"},
        {"forget_class": (7,), "invert": 8},
        {"forget_class": (7,), "invert": 8, "mode": "zero-shot", "preset": "paper", "substitute": "average"},
    ],
    ids=lambda given: "-".join(map(str, given.values())),
)
def test_unlearning(device: PretendCuda, tmp_path: Path, given: dict[str, Any]):
    model = str(save_digits_gan(tmp_path / "model"))
    run = run_unlearning(UnlearnOptions(model=model, data="digits", outdir=tmp_path / "runs", probe=False, **given))
    assert run.results["steps"] == 4
    assert not device.mixed


def test_training(device: PretendCuda, tmp_path: Path):
    train_gan(TrainOptions(data="digits", kimg=0.32, batch_size=16, channel_base=64, channel_max=8, outdir=tmp_path))
    assert not device.mixed


def test_an_audit(device: PretendCuda, tmp_path: Path):
    model = str(save_digits_gan(tmp_path / "model"))
    run = run_unlearning(UnlearnOptions(model=model, data="digits", outdir=tmp_path, probe=False, forget_random=16)).run
    run_audit(AuditOptions(model=str(run), quick=True, outdir=tmp_path))
    assert not device.mixed
