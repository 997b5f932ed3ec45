"""From the stubs of a file to our networks, strictly: every tensor has its place, and every place its tensor."""

from dataclasses import dataclass
from typing import Any, BinaryIO

import torch
from torch import nn

from ganforget.errors import ModelFileError
from ganforget.interchange.arguments import Era, discriminator_arguments, generator_arguments
from ganforget.interchange.attributes import check_attributes, held_arguments
from ganforget.interchange.module_tree import NetworkTree
from ganforget.interchange.official import OfficialPickle
from ganforget.interchange.tensors import read_tensor
from ganforget.models.gan import Gan, GanConfig
from ganforget.models.stylegan2 import Discriminator, Generator

__all__ = ["Plan", "build", "plan_networks"]


@dataclass(frozen=True)
class Plan:
    """The arguments of every network of a file, checked against its tensors; nothing has been read yet."""

    arguments: dict[str, dict[str, Any]]
    era: Era

    def config(self, training: dict[str, Any]) -> GanConfig:
        return GanConfig(self.arguments["G_ema"], self.arguments["D"], training)


def plan_networks(pickle: OfficialPickle) -> Plan:
    """Return the plan of a file's networks; ModelFileError names an argument, attribute or tensor that does not fit."""
    arguments: dict[str, dict[str, Any]] = {}
    era: Era = "StyleGAN2-ADA"
    for label in ("G", "G_ema", "D"):  # D's defaults are those of its generator's era
        tree = pickle.networks.get(label)
        if tree is None:
            continue
        held = held_arguments(tree)
        if label == "D":
            found = discriminator_arguments(label, tree.arguments, tree.keywords, era, held)
        else:
            found, era = generator_arguments(label, tree.arguments, tree.keywords, held)
        check_attributes(tree, found)
        _check_tensors(tree, _without_memory(label, found))
        arguments[label] = found
    _check_agreement(arguments)
    _check_sharing(pickle)
    return Plan(arguments, era)


def build(file: BinaryIO, pickle: OfficialPickle, plan: Plan, training: dict[str, Any]) -> Gan:
    """Read the numbers of G_ema and D and return them as a GAN."""
    for label, words in (("G_ema", "the averaged generator"), ("D", "the discriminator, without which nothing")):
        if label not in plan.arguments:
            more = " can be unlearned" if label == "D" else ""
            raise ModelFileError(f"it holds no {label}, {words}{more}; use the whole network-snapshot file")
    config = plan.config(training)
    networks = [_filled(file, pickle.networks[label], plan.arguments[label]) for label in ("G_ema", "D")]
    G, D = networks
    assert isinstance(G, Generator)
    assert isinstance(D, Discriminator)
    return Gan(G, D, config)


def _without_memory(label: str, arguments: dict[str, Any]) -> nn.Module:
    """Return a network whose tensors have shapes and no numbers."""
    try:
        with torch.device("meta"):
            return Discriminator(**arguments) if label == "D" else Generator(**arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelFileError(f"the arguments of {label} fit no StyleGAN2 network ({error})") from error


def _filled(file: BinaryIO, tree: NetworkTree, arguments: dict[str, Any]) -> nn.Module:
    network = _without_memory(tree.label, arguments)
    state = {name: read_tensor(file, stub, f"{tree.label}.{name}") for name, stub in tree.tensors.items()}
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval()


def _check_tensors(tree: NetworkTree, network: nn.Module) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    problems = [f"{tree.label}.{name} is missing" for name in expected if name not in tree.tensors]
    problems += [f"{tree.label}.{name} is unknown" for name in tree.tensors if name not in expected]
    for name, stub in tree.tensors.items():
        if name in expected and stub.size != expected[name]:
            problems.append(f"{tree.label}.{name} is {list(stub.size)}, expected {list(expected[name])}")
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise ModelFileError(f"{'; '.join(sorted(problems)[:3])}{more}")


def _check_agreement(arguments: dict[str, dict[str, Any]]) -> None:
    if "G" in arguments and "G_ema" in arguments and arguments["G"] != arguments["G_ema"]:
        raise ModelFileError("G and G_ema are not of one architecture")
    for name in ("c_dim", "img_resolution", "img_channels"):
        values = {label: found[name] for label, found in arguments.items()}
        if len(set(values.values())) > 1:
            words = ", ".join(f"{label} {value}" for label, value in values.items())
            raise ModelFileError(f"the networks differ in {name}: {words}")


def _check_sharing(pickle: OfficialPickle) -> None:
    """Each storage serves one tensor: kilobytes cannot fill gigabytes, and no writing changes two."""
    owners: dict[int, str] = {}
    trees = pickle.networks
    for label, tree in trees.items():
        if label == "G" and is_same_network(trees):
            continue
        for name, stub in tree.tensors.items():
            if stub.storage.numel == 0:
                raise ModelFileError(f"{label}.{name} has no numbers")
            owner = owners.setdefault(stub.storage.start, f"{label}.{name}")
            if owner != f"{label}.{name}":
                raise ModelFileError(f"{label}.{name} shares its numbers with {owner}")


def is_same_network(trees: dict[str, NetworkTree]) -> bool:
    """Whether G is no network of its own but G_ema once more."""
    if "G" not in trees or "G_ema" not in trees:
        return False
    G, G_ema = trees["G"].tensors, trees["G_ema"].tensors
    return G.keys() == G_ema.keys() and all(G[name] is G_ema[name] for name in G)
