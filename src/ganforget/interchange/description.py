"""What an official network pickle holds, told without reading its numbers and without executing anything."""

import hashlib
from pathlib import Path
from typing import Any

from ganforget.errors import ModelFileError
from ganforget.interchange.allow_list import network_grammar
from ganforget.interchange.assembly import Plan, plan_networks
from ganforget.interchange.machine import Machine
from ganforget.interchange.module_tree import NetworkTree
from ganforget.interchange.official import file_at, kimg_of, read_value, structure
from ganforget.interchange.record import augment_probability, plain
from ganforget.interchange.window import Span

__all__ = ["describe_official"]

_MOST_LISTED = 50
_LONGEST_SOURCE = 16 * 2**20
_BUFFERS = ("noise_const", "resample_filter", "w_avg")


def describe_official(path: Path) -> dict[str, Any]:
    """Return networks, data set, ADA's probability, and what is ``outside`` of the allow-list, as JSON can hold it."""
    machine = Machine(network_grammar(), strict=False)
    facts: dict[str, Any] = {"kimg": kimg_of(path), "networks": {}, "problem": None}
    with file_at(path) as (file, size):
        try:
            pickle = structure(read_value(machine, file, size), machine)
            facts["networks"] = {label: _network(tree) for label, tree in pickle.networks.items()}
            facts["training_set_kwargs"] = plain(pickle.rest.get("training_set_kwargs"))
            facts["other_keys"] = sorted(str(plain(key)) for key in pickle.rest.keys() - {"training_set_kwargs"})
            facts["augment_p"] = augment_probability(file, pickle)
            plan = plan_networks(pickle)
            facts["era"] = plan.era
            facts["networks"] = {label: _planned(facts["networks"][label], plan, label) for label in pickle.networks}
            facts["problem"] = _problem_of_reading(facts["networks"])
        except ModelFileError as error:
            facts["problem"] = str(error)
    outside = machine.outside
    if outside:
        facts["problem"] = f"it holds {outside[0]}, which is not on the list of what is allowed"
    facts |= {"protocol": machine.protocol, "opcodes": machine.count}
    return facts | {"outside": outside[:_MOST_LISTED], "outside_count": len(outside)}


def _network(tree: NetworkTree) -> dict[str, Any]:
    parameters = [t.numel for name, t in tree.tensors.items() if name.rpartition(".")[2] not in _BUFFERS]
    return {
        "class": tree.class_name,
        "tensors": len(tree.tensors),
        "parameters": sum(parameters),
        "dtypes": sorted({t.storage.dtype for t in tree.tensors.values()}),
        "source_sha256": _digest(tree.source),
    }


def _planned(facts: dict[str, Any], plan: Plan, label: str) -> dict[str, Any]:
    names = ("z_dim", "w_dim", "c_dim", "img_resolution", "img_channels")
    return facts | {name: plan.arguments[label][name] for name in names if name in plan.arguments[label]}


def _problem_of_reading(networks: dict[str, Any]) -> str | None:
    missing = [label for label in ("G_ema", "D") if label not in networks]
    return f"it holds no {missing[0]}" if missing else None


def _digest(source: Span | str) -> str | None:
    """Return the hash of a source text: two files with the same one were written by the same code."""
    if isinstance(source, str):
        return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
    return hashlib.sha256(source.read(_LONGEST_SOURCE)).hexdigest() if source.length <= _LONGEST_SOURCE else None
