"""The arguments that official networks take: which, what they may be, and which ones our networks need.

ADA's generator takes ``synthesis_kwargs``; the StyleGAN2 of StyleGAN3's time takes the same arguments at its top
and has other defaults. An argument that only says how things are laid out in memory is checked and left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ganforget.errors import ModelFileError
from ganforget.interchange.inert import in_plain_words

__all__ = ["Argument", "Era", "discriminator_arguments", "generator_arguments"]

Era = Literal["StyleGAN2-ADA", "StyleGAN3"]

_REQUIRED = object()


@dataclass(frozen=True)
class Argument:
    """What one argument may be; one that is not ``kept`` makes no difference to our networks."""

    fits: Callable[[Any], bool]
    words: str
    default: Any = _REQUIRED
    kept: bool = True


def _whole(low: int, high: int, default: Any = _REQUIRED) -> Argument:
    return Argument(lambda v: type(v) is int and low <= v <= high, f"a whole number from {low} to {high}", default)


def _optional(argument: Argument, default: Any) -> Argument:
    return Argument(lambda v: v is None or argument.fits(v), f"None or {argument.words}", default, argument.kept)


def _number(low: float, high: float, default: Any) -> Argument:
    return Argument(lambda v: type(v) in (int, float) and low <= v <= high, f"from {low} to {high}", default)


def _only(value: Any) -> Argument:
    return Argument(lambda v: type(v) is type(value) and v == value, repr(value), value, kept=False)


def _is_taps(value: Any) -> bool:
    plain = isinstance(value, list | tuple) and 2 <= len(value) <= 16
    return plain and all(type(tap) in (int, float) and abs(tap) < 1e6 for tap in value) and sum(value) != 0


_WIDTH = 2**15
_ARCHITECTURES = ("orig", "skip", "resnet")
_TAPS = Argument(_is_taps, "a list of 2 to 16 numbers", (1, 3, 3, 1))
_LAYOUT = Argument(lambda v: type(v) is bool, "true or false", False, kept=False)
_FUSED = Argument(lambda v: type(v) is bool or v == "inference_only", "a bool or 'inference_only'", True, kept=False)
_DICT = Argument(lambda v: isinstance(v, dict), "a dict of arguments", {})
_RESOLUTION = Argument(lambda v: type(v) is int and v in [2**i for i in range(2, 13)], "a power of two, 4 to 4096")


def _architecture(default: str) -> Argument:
    return Argument(lambda v: type(v) is str and v in _ARCHITECTURES, "orig, skip or resnet", default)


def _widths(era: Era) -> dict[str, Argument]:
    """Return the arguments that both networks take; the two eras differ in precision and clamp."""
    halves, clamp = (4, 256) if era == "StyleGAN3" else (0, None)
    return {
        "channel_base": _whole(1, 2**24, 32768),
        "channel_max": _whole(1, _WIDTH, 512),
        "num_fp16_res": _whole(0, 16, halves),
        "conv_clamp": _optional(_number(1e-3, 1e9, None), clamp),
    }


_GENERATOR = {
    "z_dim": _whole(1, _WIDTH),
    "c_dim": _whole(0, _WIDTH),
    "w_dim": _whole(1, _WIDTH),
    "img_resolution": _RESOLUTION,
    "img_channels": _whole(1, 64),
    "mapping_kwargs": _DICT,
}

_SYNTHESIS = {
    "architecture": _architecture("skip"),
    "resample_filter": _TAPS,
    "activation": _only("lrelu"),
    "use_noise": _only(True),
    "fp16_channels_last": _LAYOUT,
    "fused_modconv_default": _FUSED,
}

_MAPPING = {
    "num_layers": _whole(1, 64, 8),
    "embed_features": _optional(_whole(1, _WIDTH), None),
    "layer_features": _optional(_whole(1, _WIDTH), None),
    "lr_multiplier": _number(1e-9, 1e9, 0.01),
    "activation": _only("lrelu"),
}

_DISCRIMINATOR = {
    "c_dim": _whole(0, _WIDTH),
    "img_resolution": _RESOLUTION,
    "img_channels": _whole(1, 64),
    "architecture": _architecture("resnet"),
    # widths stand here
    "cmap_dim": _optional(_whole(1, _WIDTH), None),
    "block_kwargs": _DICT,
    "mapping_kwargs": _DICT,
    "epilogue_kwargs": _DICT,
}

_BLOCK = {
    "resample_filter": _TAPS,
    "activation": _only("lrelu"),
    "fp16_channels_last": _LAYOUT,
    "freeze_layers": Argument(lambda v: type(v) is int and 0 <= v <= 64, "a whole number", 0, kept=False),
}

_EPILOGUE = {
    "mbstd_group_size": _optional(_whole(1, 2**16), 4),
    "mbstd_num_channels": _whole(0, 2**10, 1),
    "activation": _only("lrelu"),
}


def generator_arguments(
    label: str, positional: tuple[Any, ...], keywords: dict[str, Any], held: Mapping[str, Any]
) -> tuple[dict[str, Any], Era]:
    """Return our generator's arguments and the era; ModelFileError names an argument that is unknown or unfit.

    ``held`` are values that the layers themselves remember; they stand in for arguments that were left out.
    """
    names = [*_GENERATOR, "synthesis_kwargs"]
    given = _by_name(label, names, positional, keywords)
    era: Era = "StyleGAN2-ADA" if "synthesis_kwargs" in given else "StyleGAN3"
    synthesis = {**_SYNTHESIS, **_widths(era)}
    top = {**_GENERATOR, **({"synthesis_kwargs": _DICT} if era == "StyleGAN2-ADA" else synthesis)}
    found = _checked(label, given, top, held)
    inner = found.pop("synthesis_kwargs", None)
    if inner is None:
        inner = {name: found.pop(name) for name in synthesis if name in found}
    else:
        inner = _checked(f"{label} synthesis_kwargs", inner, synthesis, held)
    mapping = {**_MAPPING, "w_avg_beta": _number(0, 1, 0.998 if era == "StyleGAN3" else 0.995)}
    found["mapping_kwargs"] = _checked(f"{label} mapping_kwargs", found["mapping_kwargs"], mapping, held)
    found["synthesis_kwargs"] = inner
    _check_widths(label, found["img_resolution"], inner)
    return found, era


def discriminator_arguments(
    label: str, positional: tuple[Any, ...], keywords: dict[str, Any], era: Era, held: Mapping[str, Any]
) -> dict[str, Any]:
    """Return our discriminator's arguments; ModelFileError names an argument that is unknown or unfit."""
    order = [*list(_DISCRIMINATOR)[:4], *_widths(era), *list(_DISCRIMINATOR)[4:]]
    given = _by_name(label, order, positional, keywords)
    found = _checked(label, given, {**_DISCRIMINATOR, **_widths(era)}, held)
    if found["img_resolution"] < 8:
        raise ModelFileError(f"{label} is of {found['img_resolution']}×… pixels, too few for a discriminator")
    block = _checked(f"{label} block_kwargs", found["block_kwargs"], _BLOCK, {})
    mapping = {**_MAPPING, "w_avg_beta": _only(None)}
    found["block_kwargs"] = block
    found["mapping_kwargs"] = _checked(f"{label} mapping_kwargs", found["mapping_kwargs"], mapping, {})
    found["epilogue_kwargs"] = _checked(f"{label} epilogue_kwargs", found["epilogue_kwargs"], _EPILOGUE, held)
    _check_widths(label, found["img_resolution"], found)
    return found


def _by_name(label: str, names: list[str], positional: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
    if len(positional) > len(names):
        raise ModelFileError(f"{label} was made with {len(positional)} arguments without a name")
    given = dict(zip(names, positional, strict=False))
    if twice := sorted(given.keys() & keywords.keys()):
        raise ModelFileError(f"{label} was given the argument {twice[0]} twice")
    return given | keywords


def _checked(label: str, given: dict[str, Any], known: dict[str, Argument], held: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that are kept, with defaults for those left out."""
    found = {}
    for name in given:
        if name not in known:
            raise ModelFileError(f"{label} has the argument {in_plain_words(name)}, which StyleGAN2 has not")
    for name, argument in known.items():
        value = given.get(name, held.get(name, argument.default))
        if value is _REQUIRED:
            raise ModelFileError(f"{label} lacks the argument {name}")
        if not argument.fits(value):
            raise ModelFileError(f"{label} has {name} = {in_plain_words(value)}; expected {argument.words}")
        if argument.kept:
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def _check_widths(label: str, resolution: int, widths: dict[str, Any]) -> None:
    if widths["channel_base"] < resolution:
        raise ModelFileError(f"{label} has channel_base = {widths['channel_base']}; expected at least {resolution}")
