"""Writing the certificate of an audit, and verifying one against a model, a forget set and the audit's files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganforget.api.model import find_model, load_model
from ganforget.audit.certificate import (
    certificate,
    contradicts,
    file_hash,
    new_salt,
    own_digest,
    read_certificate,
    salted,
)
from ganforget.data import ForgetSet, forget_folder
from ganforget.errors import InputError
from ganforget.files import read_json, write_bytes, write_json
from ganforget.models.gan import Gan, configuration_hash, model_hash

__all__ = ["SALT_FILE", "Check", "verify_certificate", "write_certificate"]

SALT_FILE = "certificate.salt"


def write_certificate(run: Path) -> Path:
    """Write certificate.json and, beside it, the salt that is to be kept apart; return the certificate's path.

    A salt that is there already is kept: a certificate that was handed out may hold for it.
    """
    audit, config = (read_json(run / f"{name}.json", kind=name) for name in ("audit", "config"))
    options, salt = config["options"], _salt(run)
    files = {
        "model_before": file_hash(_file(options["original"])),
        "model_after": file_hash(_file(options["model"])),
        "audit": file_hash(run / "audit.json"),
    }
    for role in ("original", "unlearned"):
        name = options["original" if role == "original" else "model"]
        if model_hash(load_model(name)) != audit["model_hashes"][role]:
            raise InputError(f"{name} has changed while it was audited; the audit {run} gets no certificate.")
    content = certificate(audit, config, ForgetSet.read(run / "forget_set.json").hashes, salt, files)
    write_bytes(run / SALT_FILE, f"{salt}\n".encode())
    write_json(run / "certificate.json", content)
    return run / "certificate.json"


def _salt(run: Path) -> str:
    """Return the salt that a stopped audit left, or a new one."""
    file = run / SALT_FILE
    return file.read_text(encoding="ascii").strip() if file.exists() else new_salt()


def _file(model: str) -> Path:
    """Return the file that holds the networks ``model`` names: an official pickle, say, or a folder's safetensors."""
    return Path(model) if Path(model).is_file() else find_model(model) / "model.safetensors"


@dataclass(frozen=True)
class Check:
    """One thing that was recomputed: True, False, or None where it could not be."""

    what: str
    holds: bool | None
    detail: str


def verify_certificate(
    path: Path,
    *,
    model: str | None = None,
    original: str | None = None,
    forget: Path | None = None,
    salt: Path | None = None,
) -> list[Check]:
    """Recompute what can be recomputed of the certificate at ``path``.

    ``forget`` is a folder or ZIP of images, or a forget_set.json; ``salt`` the salt's file (default: beside the
    certificate). Raises InputError for files that cannot be read.
    """
    content = read_certificate(path)
    whole = content.get("digest") == own_digest(content)
    checks = [Check("the certificate is whole", whole, "digest over its content; no signature")]
    try:
        gan = None if model is None else load_model(model)
        checks.append(_model("the unlearned model", gan, content["model_hashes"]["unlearned"]))
        checks.append(_model_file("the unlearned model's file", model, content["files"]["model_after"]))
        before = None if original is None else load_model(original)
        checks.append(_model("the original model", before, content["model_hashes"]["original"]))
        checks.append(_model_file("the original model's file", original, content["files"]["model_before"]))
        checks += _configurations(content["configurations"], unlearned=gan, original=before)
        checks += _audit(path.parent / "audit.json", content)
        checks.append(_forgotten(content["asked"], forget, salt or path.parent / SALT_FILE, gan))
    except (KeyError, TypeError) as error:
        raise InputError(f"The certificate {path} lacks {error}; it is damaged.") from error
    return checks


def _model(what: str, gan: Gan | None, expected: str) -> Check:
    if gan is None:
        return Check(what, None, "not named")
    found = model_hash(gan)
    return Check(what, found == expected, f"sha256 of every tensor: {found[:16]}…, certified {expected[:16]}…")


def _configurations(certified: dict[str, str], **gans: Gan | None) -> list[Check]:
    """Compare what the networks make of their weights: other numbers in a configuration are another network."""
    return [
        Check(
            f"the {role} model's configuration",
            configuration_hash(gan) == certified[role],
            f"sha256 of its arguments: {configuration_hash(gan)[:16]}…, certified {certified[role][:16]}…",
        )
        for role, gan in gans.items()
        if gan is not None
    ]


def _audit(path: Path, content: dict[str, Any]) -> list[Check]:
    """Compare the audit beside a certificate: its bytes, and what the certificate says of it."""
    if not path.exists():
        return [Check("audit.json beside it", None, "not there")]
    same = Check("audit.json beside it", file_hash(path) == content["files"]["audit"], "sha256 of the file")
    wrong = contradicts(content, read_json(path, kind="audit"))
    says = "as audit.json has it" if wrong is None else f"audit.json says otherwise of: {wrong}"
    return [same, Check("what the certificate says", wrong is None, says)]


def _model_file(what: str, name: str | None, expected: str) -> Check:
    """Compare the file to the byte; the same networks saved anew are another file, which is no fault."""
    if name is None:
        return Check(what, None, "not named")
    same = file_hash(_file(name)) == expected
    return Check(what, True if same else None, "the certified file" if same else "another file than the certified one")


def _forgotten(asked: dict[str, Any], forget: Path | None, salt_file: Path, gan: Gan | None) -> Check:
    what, certified = "the forgotten images", set(asked["salted_hashes"])
    if forget is None:
        return Check(what, None, "not named")
    if not salt_file.exists():
        return Check(what, None, f"the salt is not at {salt_file}; name its file with --salt")
    try:
        found = salted(_hashes(forget, gan), salt_file.read_text(encoding="ascii").strip())
    except ValueError as error:
        raise InputError(f"{salt_file} holds no salt; expected the {SALT_FILE} of the certificate.") from error
    known = sum(digest in certified for digest in found)
    detail = f"{known} of {len(found)} given images are among the {len(certified)} certified"
    return Check(what, known == len(found), detail)


def _hashes(forget: Path, gan: Gan | None) -> tuple[str, ...]:
    if forget.suffix.lower() == ".json":
        return ForgetSet.read(forget).hashes
    if gan is None:
        raise InputError("A folder of images is prepared as the model's are; name the model with --model as well.")
    return forget_folder(None, forget, resolution=gan.G.img_resolution, channels=gan.G.img_channels).hashes
