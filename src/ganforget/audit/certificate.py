"""``certificate.json``: what was asked, done and found, without saying who was forgotten.

A forgotten image stands as blake2b(salt, sha256 of its pixels). The salt lies in a file of its own: without it the
hashes tell nothing, not even whether a given image is among them.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ganforget.errors import InputError
from ganforget.files import read_json

__all__ = [
    "SCHEMA_VERSION",
    "certificate",
    "contradicts",
    "file_hash",
    "new_salt",
    "own_digest",
    "read_certificate",
    "salted",
]

SCHEMA_VERSION = 2
KIND = "ganforget-certificate"


def new_salt() -> str:
    """Return 32 random bytes in hexadecimal: the one random number that no seed gives."""
    return secrets.token_hex(32)


def salted(image_hashes: Iterable[str], salt: str) -> list[str]:
    """Return the salted hash of each image, sorted, so that their order tells nothing."""
    key = bytes.fromhex(salt)
    return sorted(hashlib.blake2b(digest.encode(), key=key, digest_size=32).hexdigest() for digest in image_hashes)


def file_hash(path: Path) -> str:
    """Return the sha256 of a file; InputError where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path.") from error


def own_digest(content: dict[str, Any]) -> str:
    """Return the sha256 of a certificate without its own digest; it finds damage, and proves no author."""
    plain = {key: value for key, value in content.items() if key != "digest"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def certificate(
    audit: dict[str, Any], config: dict[str, Any], hashes: Iterable[str], salt: str, files: dict[str, str]
) -> dict[str, Any]:
    """Return the certificate of an audit: ``files`` are hashes of model files before and after, and of audit.json.

    The number of forgotten images and a forgotten class are in it; which images they were is not.
    """
    content = {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "asked": {**_asked(audit), "salted_hashes": salted(hashes, salt)},
        "files": files,
        **_certified(audit),
        "versions": config.get("versions"),
        "commit": config.get("commit"),
    }
    return content | {"digest": own_digest(content)}


def _certified(audit: dict[str, Any]) -> dict[str, Any]:
    """Return what a certificate repeats of its audit.json, so that it can be compared with it."""
    attacks = [
        {
            "name": attack["name"],
            "judged": attack["judged"],
            "auc": {role: found["auc"] for role, found in attack["separation"].items()},
            "effect": attack["effect"],
        }
        for attack in audit["attacks"]
    ]
    hashes, verdict = audit["model_hashes"], audit["verdict"]
    kept = ("power", "cannot_claim", "warnings", "random_forget_set", "images", "quick", "seed")
    return {
        "method": audit["method"],
        "model_hashes": {role: hashes[role] for role in ("original", "unlearned")},
        "configurations": {role: audit["configurations"][role] for role in ("original", "unlearned")},
        "retrained_hashes": [digest for role, digest in hashes.items() if role.startswith("retrained")],
        "audit": {
            "verdict": verdict["verdict"],
            "reasons": verdict["reasons"],
            "by_network": {name: found["verdict"] for name, found in verdict["by_network"].items()},
            "retrained_recorded": [found["recorded_without_forget_set"] for found in audit["retrained"]],
            **{name: audit[name] for name in kept},
            "attacks": attacks,
        },
    }


def _asked(audit: dict[str, Any]) -> dict[str, Any]:
    return {"task": audit["task"], "classes": audit["classes"], "images": audit["n_forget"]}


def contradicts(content: dict[str, Any], audit: dict[str, Any]) -> str | None:
    """Return the first part of a certificate that says other things than ``audit``, or None."""
    parts = {**_certified(audit), "asked": _asked(audit)}
    own = {**content, "asked": {key: value for key, value in content["asked"].items() if key != "salted_hashes"}}
    return next((name for name, value in parts.items() if own.get(name) != value), None)


def read_certificate(path: Path) -> dict[str, Any]:
    """Read a certificate; InputError where it is none, or of another schema version."""
    content = read_json(path, kind="certificate")
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise InputError(f"{path} is no certificate of ganforget; expected the certificate.json of an audit.")
    if content.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema version {content.get('schema_version')!r}; this ganforget reads {SCHEMA_VERSION}. "
            "Use a matching release."
        )
    return content
