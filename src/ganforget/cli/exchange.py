"""``ganforget inspect``, ``ganforget import`` and ``ganforget export``."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ganforget.cli.session import Session
from ganforget.cli.tables import facts_table

__all__ = ["export_network", "import_network", "inspect"]


def inspect(file: Path, /, *, session: Annotated[Session, Parameter(parse=False)]) -> int:
    """Say what a network file or model folder holds, executing nothing in it.

    Parameters
    ----------
    file:
        A network pickle, a safetensors file, a model folder or a run folder.
    """
    from ganforget.api.exchange import inspect as inspect_model

    facts = inspect_model(file)
    rows: list[tuple[str, object]] = [("file", facts["file"]), ("kind", _kind(facts))]
    rows += [(label, _network(network)) for label, network in facts["networks"].items()]
    named = {"kimg": "kimg", "augment_p": "ADA probability", "training_set_kwargs": "data set", "opcodes": "opcodes"}
    rows += [(words, facts[key]) for key, words in named.items() if facts.get(key) is not None]
    if facts.get("other_keys"):
        rows.append(("other keys", ", ".join(facts["other_keys"])))
    rows += [("not allowed", what) for what in facts["outside"]]
    more = facts["outside_count"] - len(facts["outside"])
    rows += [("", f"and {more} more")] if more else []
    problem = facts["problem"]
    rows.append(("can be used", "yes" if problem is None else f"no: {problem}"))
    session.show(facts_table(rows))
    session.emit(facts)
    return 0


def _kind(facts: dict[str, Any]) -> str:
    era = f" ({facts['era']})" if facts.get("era") else ""
    protocol = f", protocol {facts['protocol']}" if facts.get("protocol") else ""
    return f"{facts['kind']}{era}{protocol}"


def _network(facts: dict[str, Any]) -> str:
    parts = []
    if "img_resolution" in facts:
        size = facts["img_resolution"]
        parts.append(f"{size}×{size}×{facts['img_channels']}, {facts['c_dim'] or 'no'} labels")
    if "parameters" in facts:
        parts.append(f"{facts['parameters']:,} parameters")
    if "tensors" in facts:
        parts.append(f"{facts['tensors']} tensors")
    return ", ".join(parts)


def import_network(file: Path, folder: Path, /, *, session: Annotated[Session, Parameter(parse=False)]) -> int:
    """Turn a network file from elsewhere into a model folder, executing nothing in it.

    Parameters
    ----------
    file:
        A network pickle of StyleGAN2-ADA (PyTorch), or a StyleGAN2 of StyleGAN3's code.
    folder:
        A new folder, which gets config.json and model.safetensors.
    """
    from ganforget.api.exchange import import_model

    facts = import_model(file, folder)
    size = facts["img_resolution"]
    labels = facts["c_dim"] or "no"
    session.show(f"{file} is now in {folder}: {size}×{size}×{facts['img_channels']}, {labels} labels")
    session.emit(facts)
    return 0


def export_network(
    model: str, out: Path, /, *, like: Path | None = None, session: Annotated[Session, Parameter(parse=False)]
) -> int:
    """Write a model to one file: a pickle that the official tools load, or safetensors.

    Parameters
    ----------
    model:
        A model folder, a run folder, or a file.
    out:
        The file to write.
    like:
        The original pickle, whose structure and source text the new one takes over; without it, safetensors.
    """
    from ganforget.api.exchange import export_model

    found = export_model(model, out, like=like)
    if like is None:
        why = "" if out.suffix == ".safetensors" else " A pickle needs the original's structure: --like original.pkl."
        session.show(f"Written as safetensors: {found['file']}.{why}")
    else:
        session.show(f"Written in the structure of {like}: {found['file']}")
        words = {"replaced": "replaced", "equal": "written and equal to the original's", "kept": "kept"}
        rows = []
        for label, counts in found["counts"].items():
            rows.append((label, ", ".join(f"{counts[state]} {words[state]}" for state in words if state in counts)))
        session.show(facts_table(rows))
        if "G" in found["counts"]:
            session.show("G, the generator that training goes on with, is now G_ema as well.")
    session.emit(found)
    return 0
