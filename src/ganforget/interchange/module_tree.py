"""A network of an official pickle as names and tensors: its tree of layers, checked class by class."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ganforget.errors import ModelFileError
from ganforget.interchange.inert import NumpyArray, Opaque, Persistent, Storage, TensorStub, in_plain_words
from ganforget.interchange.window import Span

__all__ = ["NetworkTree", "find_values", "flatten"]

MOST_VALUES = 1_000_000
"""Steps of one search through nested values; shared ones are seen once."""

DEEPEST = 64
"""Containers inside each other; a network has some 15, each layer being two."""

_LAYER = {"affine": "FullyConnectedLayer"}

# The official classes: which layers each may hold, by a pattern of the layer's name. Finite, so nesting is bounded.
_CHILDREN: dict[str, dict[str, str]] = {
    "Generator": {"synthesis": "SynthesisNetwork", "mapping": "MappingNetwork"},
    "SynthesisNetwork": {r"b\d+": "SynthesisBlock"},
    "SynthesisBlock": {"conv[01]": "SynthesisLayer", "torgb": "ToRGBLayer", "skip": "Conv2dLayer"},
    "SynthesisLayer": _LAYER,
    "ToRGBLayer": _LAYER,
    "MappingNetwork": {r"embed|fc\d+": "FullyConnectedLayer"},
    "Discriminator": {"b4": "DiscriminatorEpilogue", r"b\d+": "DiscriminatorBlock", "mapping": "MappingNetwork"},
    "DiscriminatorBlock": {"fromrgb|conv0|conv1|skip": "Conv2dLayer"},
    "DiscriminatorEpilogue": {
        "fromrgb|conv": "Conv2dLayer",
        "fc|out": "FullyConnectedLayer",
        "mbstd": "MinibatchStdLayer",
    },
    "FullyConnectedLayer": {},
    "Conv2dLayer": {},
    "MinibatchStdLayer": {},
}

_BOOKKEEPING = re.compile(r"_(parameters|buffers|modules|init_args|init_kwargs|non_persistent_buffers_set)")
_HOOKS = re.compile(r"_.*hooks(_with_kwargs|_always_called)?|_is_full_backward_hook")


@dataclass(frozen=True, eq=False)
class NetworkTree:
    """One network: its arguments, its tensors by their dotted names, and the plain attributes of every layer."""

    label: str
    class_name: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    tensors: dict[str, TensorStub]
    attributes: dict[str, dict[str, Any]]
    source: Span | str


def flatten(label: str, network: Persistent) -> NetworkTree:
    """Return the tree of ``network``; ModelFileError names a class, layer or tensor that has no place in it."""
    tensors: dict[str, TensorStub] = {}
    attributes: dict[str, dict[str, Any]] = {}
    _collect(label, "", network, tensors, attributes)
    arguments, keywords = network.state.get("_init_args", ()), network.state.get("_init_kwargs", {})
    if type(arguments) is not tuple or not isinstance(keywords, dict):
        raise ModelFileError(f"{label} does not hold the arguments that it was made with")
    return NetworkTree(label, network.class_name, arguments, keywords, tensors, attributes, network.source)


def _collect(
    label: str,
    path: str,
    layer: Persistent,
    tensors: dict[str, TensorStub],
    attributes: dict[str, dict[str, Any]],
) -> None:
    where = f"{label}.{path}".rstrip(".")
    attributes[path] = _plain_attributes(where, layer)
    prefix = f"{path}." if path else ""
    for kind in ("_parameters", "_buffers"):
        for name, tensor in _members(where, layer, kind).items():
            if tensor is None:
                continue
            if not isinstance(tensor, TensorStub):
                raise ModelFileError(f"{where}.{name} is {in_plain_words(tensor)}, expected a tensor")
            if prefix + name in tensors:
                raise ModelFileError(f"{where}.{name} is there twice")
            tensors[prefix + name] = tensor
    allowed = _CHILDREN[layer.class_name]
    for name, child in _members(where, layer, "_modules").items():
        expected = next((kind for pattern, kind in allowed.items() if re.fullmatch(pattern, name)), None)
        if child is None:
            continue
        if expected is None:
            raise ModelFileError(f"{where} has a layer {name!r}, which a {layer.class_name} of StyleGAN2 has not")
        if not isinstance(child, Persistent) or child.class_name != expected:
            raise ModelFileError(f"{where}.{name} is {in_plain_words(child)}, expected a {expected}")
        _collect(label, prefix + name, child, tensors, attributes)


def _members(where: str, layer: Persistent, kind: str) -> dict[str, Any]:
    members = layer.state.get(kind, {})
    if not isinstance(members, dict) or not all(type(name) is str for name in members):
        raise ModelFileError(f"{where}.{kind} is no dict of names")
    return members


def _plain_attributes(where: str, layer: Persistent) -> dict[str, Any]:
    """Return the attributes that are no bookkeeping of torch; tensors and layers are not plain."""
    plain = {}
    for name, value in layer.state.items():
        if type(name) is not str:
            raise ModelFileError(f"{where} has an attribute named {in_plain_words(name)}")
        if _HOOKS.fullmatch(name):
            if value:
                raise ModelFileError(f"{where}.{name} is not empty: hooks would run code")
        elif not _BOOKKEEPING.fullmatch(name):
            plain[name] = value
        if name not in ("_parameters", "_buffers", "_modules"):
            for path, hidden in find_values(value, (TensorStub, Storage, Persistent, Span, NumpyArray, Opaque)):
                words = in_plain_words(hidden)
                raise ModelFileError(f"{where}.{name}{path} is {words}, which a {layer.class_name} has not")
    return plain


def find_values(root: Any, kinds: tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """Give every value of ``kinds`` inside nested containers with the path to it; each container is seen once.

    Raises ModelFileError where they nest too deep.
    """
    seen: set[int] = set()
    waiting: list[tuple[str, Any, int]] = [("", root, 0)]
    for _ in range(MOST_VALUES):
        if not waiting:
            return
        path, value, depth = waiting.pop()
        if depth > DEEPEST:
            raise ModelFileError(f"it nests values more than {DEEPEST} deep")
        if isinstance(value, kinds):
            yield path, value
        if isinstance(value, Persistent):
            value = value.state
        if not isinstance(value, dict | list | tuple | set) or id(value) in seen:
            continue
        seen.add(id(value))
        items = value.items() if isinstance(value, dict) else enumerate(value)
        short = len(path) < 200
        waiting += [(f"{path}.{str(key)[:40]}" if short else path, item, depth + 1) for key, item in items]
    raise ModelFileError("it nests too many values")
