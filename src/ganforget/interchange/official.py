"""Network pickles of StyleGAN2-ADA, and of StyleGAN2 as StyleGAN3's code writes them, read without running them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ganforget.errors import ModelFileError
from ganforget.interchange.allow_list import network_grammar
from ganforget.interchange.inert import Persistent, Storage, TensorStub, in_plain_words
from ganforget.interchange.machine import Machine
from ganforget.interchange.module_tree import NetworkTree, find_values, flatten
from ganforget.interchange.window import Window

__all__ = ["NETWORKS", "OfficialPickle", "file_at", "kimg_of", "read_official", "read_value", "structure"]

NETWORKS = ("G", "D", "G_ema")

_TENSORFLOW = "dnnlib.tflib"
_ALIAS_FREE = (
    "it holds an alias-free StyleGAN3 generator (stylegan3-t or stylegan3-r); ganforget reads StyleGAN2 networks, "
    "those of StyleGAN3's code with cfg=stylegan2 included"
)


@dataclass(frozen=True, eq=False)
class OfficialPickle:
    """What a network pickle holds, as stubs; the numbers are still in the file."""

    networks: dict[str, NetworkTree]
    augment: Persistent | None
    """ADA's augmentation pipe."""
    rest: dict[str, Any]
    """Everything else: training_set_kwargs, and plain values of forks."""
    value: Any
    """The whole of it."""
    machine: Machine
    """What followed it, with the count of opcodes, the protocol, and the spans that stayed in the file."""

    @property
    def augment_p(self) -> TensorStub | None:
        """Where ADA's probability stands."""
        buffers = self.augment.state.get("_buffers") if self.augment is not None else None
        found = buffers.get("p") if isinstance(buffers, dict) else None
        return found if isinstance(found, TensorStub) and found.numel == 1 else None


@contextmanager
def file_at(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file and give it with its size; every ModelFileError inside gets the file's name in front."""
    try:
        with path.open("rb") as file:
            yield file, file.seek(0, 2)
    except ModelFileError as error:
        raise ModelFileError(f"{path} is refused: {error}.") from error
    except (MemoryError, RecursionError) as error:
        raise ModelFileError(f"{path} is refused: it needs more memory than there is.") from error
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read ({error.strerror}).") from error


def read_value(machine: Machine, file: BinaryIO, size: int) -> Any:
    """Return the inert value of the one pickle that a file is; ModelFileError where it is none, or more than that."""
    window = Window(file, 0, size)
    try:
        value = machine.run(window)
    except ModelFileError as error:
        if _TENSORFLOW in str(error):
            raise ModelFileError(
                "it is a TensorFlow pickle; convert it with legacy.py of StyleGAN2-ADA (PyTorch) or StyleGAN3 first"
            ) from error
        raise
    if window.position != size:
        raise ModelFileError(f"{size - window.position} bytes follow the end of the pickle")
    return value


def read_official(file: BinaryIO, size: int) -> OfficialPickle:
    """Read the structure of a network pickle; ModelFileError says what does not belong into one."""
    machine = Machine(network_grammar())
    return structure(read_value(machine, file, size), machine)


def structure(value: Any, machine: Machine) -> OfficialPickle:
    """Return the networks that a pickle's inert value holds; ModelFileError says what does not belong there."""
    if not isinstance(value, dict) or not all(type(key) is str for key in value):
        raise ModelFileError(f"it holds {in_plain_words(value)}, expected a dict with G, D and G_ema")
    for _ in find_values(value, ()):  # raises where values nest too deep
        pass
    networks = {}
    for label, kind in (("G", "Generator"), ("D", "Discriminator"), ("G_ema", "Generator")):
        if value.get(label) is not None:
            networks[label] = flatten(label, check_class(label, value[label], kind))
    if not networks:
        raise ModelFileError(f"it holds no network; its keys are {', '.join(sorted(value)[:8]) or 'none'}")
    augment = value.get("augment_pipe")
    if augment is not None and (not isinstance(augment, Persistent) or augment.class_name != "AugmentPipe"):
        raise ModelFileError(f"augment_pipe is {in_plain_words(augment)}, expected an AugmentPipe or None")
    rest = {key: part for key, part in value.items() if key not in (*NETWORKS, "augment_pipe")}
    for path, found in find_values(rest, (TensorStub, Storage, Persistent)):
        words = in_plain_words(found) if not isinstance(found, Storage) else "a storage"
        raise ModelFileError(f"{path.removeprefix('.')} is {words}, which a StyleGAN2 pickle has not")
    return OfficialPickle(networks, augment, rest, value, machine)


def check_class(label: str, network: Any, kind: str) -> Persistent:
    """Return ``network`` as what it is expected to be; ModelFileError where it is something else."""
    if not isinstance(network, Persistent) or network.class_name != kind:
        raise ModelFileError(f"{label} is {in_plain_words(network)}, expected a {kind} of StyleGAN2")
    if _is_alias_free(network):
        raise ModelFileError(_ALIAS_FREE)
    return network


def _is_alias_free(network: Persistent) -> bool:
    modules = network.state.get("_modules")
    synthesis = modules.get("synthesis") if isinstance(modules, dict) else None
    layers = synthesis.state.get("_modules") if isinstance(synthesis, Persistent) else None
    first = layers.get("input") if isinstance(layers, dict) else None
    return isinstance(first, Persistent) and first.class_name == "SynthesisInput"


def kimg_of(path: Path) -> int | None:
    """Return the thousands of images that an official file's name tells."""
    found = re.search(r"network-(?:snapshot-)?(\d{6})", path.name)
    return int(found[1]) if found else None
