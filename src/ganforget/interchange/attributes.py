"""What layers remember of their arguments: it stands in for arguments left out, and must not contradict the others."""

from collections.abc import Iterator, Mapping
from typing import Any

from ganforget.errors import ModelFileError
from ganforget.interchange.inert import in_plain_words
from ganforget.interchange.module_tree import NetworkTree

__all__ = ["check_attributes", "held_arguments"]


def held_arguments(tree: NetworkTree) -> dict[str, Any]:
    """Return the arguments with defaults that differ between the eras, where the layers remember them."""
    held: dict[str, Any] = {}
    for path, attributes in tree.attributes.items():
        if path.endswith(".conv1") and "conv_clamp" in attributes:
            held["conv_clamp"] = attributes["conv_clamp"]
        if path == "mapping" and attributes.get("w_avg_beta") is not None:
            held["w_avg_beta"] = attributes["w_avg_beta"]
    blocks = [a for path, a in tree.attributes.items() if path.rpartition(".")[2][:1] == "b" and "use_fp16" in a]
    if blocks:
        held["num_fp16_res"] = sum(a["use_fp16"] is True for a in blocks)
    return held


def check_attributes(tree: NetworkTree, arguments: Mapping[str, Any]) -> None:
    """Raise ModelFileError where a layer remembers something else than ``arguments`` say."""
    for path, name, expected in _expectations(tree, arguments):
        attributes = tree.attributes[path]
        if name in attributes and attributes[name] != expected:
            found = in_plain_words(attributes[name])
            where = f"{tree.label}.{path}".rstrip(".")
            raise ModelFileError(f"{where} has {name} = {found}, but its arguments say {expected!r}")


def _expectations(tree: NetworkTree, arguments: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Give path, attribute and value of everything that the arguments decide and that changes an output."""
    synthesis = arguments.get("synthesis_kwargs", arguments)
    for path in tree.attributes:
        parent, _, last = path.rpartition(".")
        if path == "":
            for name in ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels"):
                if name in arguments:
                    yield path, name, arguments[name]
        elif last in ("conv0", "conv1"):
            yield path, "conv_clamp", synthesis["conv_clamp"]
            yield path, "activation", "lrelu"
            yield path, "use_noise", True
        elif last == "torgb":
            yield path, "conv_clamp", synthesis["conv_clamp"]
        elif last == "mbstd":
            yield path, "group_size", arguments["epilogue_kwargs"]["mbstd_group_size"]
            yield path, "num_channels", arguments["epilogue_kwargs"]["mbstd_num_channels"]
        elif path == "mapping":
            yield path, "num_layers", arguments["mapping_kwargs"]["num_layers"]
        elif parent == "mapping":
            yield path, "activation", "linear" if last == "embed" else "lrelu"
        elif last.startswith("b") and last[1:].isdecimal():
            yield path, "architecture", synthesis["architecture"]
