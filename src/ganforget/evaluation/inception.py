"""The 2015 Inception network of the FID, by torch-fidelity, from a local weights file."""

import hashlib
import importlib
import os
from pathlib import Path

from torch import Tensor, nn

from ganforget.errors import InputError, ModelFileError

__all__ = ["WEIGHTS_SHA256", "WEIGHTS_VARIABLE", "load_inception"]

WEIGHTS_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Of weights-inception-2015-12-05-6726825d.pth, a release file of torch-fidelity (and of pytorch-fid)."""

WEIGHTS_VARIABLE = "GANFORGET_INCEPTION"
"""Environment variable that names the weights file."""


class _Inception(nn.Module):
    """uint8 RGB [N, 3, H, W] → features [N, 2048]; torch-fidelity resizes to 299×299 as TensorFlow 1 did."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)[0].float()


def load_inception(path: Path | None = None) -> nn.Module:
    """Return the network: uint8 RGB [N, 3, H, W] → features [N, 2048].

    The file is ``path`` or the environment variable's. torch-fidelity unpickles it, so its sha256 is checked
    before. Raises InputError where no file is named or torch-fidelity is not installed, ModelFileError for
    any other file.
    """
    named = path or (Path(os.environ[WEIGHTS_VARIABLE]) if os.environ.get(WEIGHTS_VARIABLE) else None)
    if named is None:
        raise InputError(
            "The FID needs the 2015 Inception weights; download weights-inception-2015-12-05-6726825d.pth "
            f"from torch-fidelity's release page and pass its path or set {WEIGHTS_VARIABLE}."
        )
    _check(named)
    try:
        module = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that does not fit torch
        raise InputError(
            f"The FID needs torch-fidelity and torchvision, which cannot be imported ({error}); run "
            "`pip install 'ganforget[fid]'`, or choose another extractor."
        ) from error
    network = module.FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(named)
    )
    return _Inception(network).eval().requires_grad_(False)


def _check(path: Path) -> None:
    if not path.is_file():
        raise ModelFileError(f"There is no Inception weights file at {path}; check the path.")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WEIGHTS_SHA256:
        raise ModelFileError(
            f"{path} has the sha256 {found}, expected {WEIGHTS_SHA256}; it is truncated or not the 2015 "
            "Inception weights of the FID."
        )
