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

__all__ = ["SCHEMA_VERSION", "certificate", "file_hash", "new_salt", "own_digest", "read_certificate", "salted"]

SCHEMA_VERSION = 1
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
    attacks = [
        {
            "name": attack["name"],
            "judged": attack["judged"],
            "auc": {role: found["auc"] for role, found in attack["separation"].items()},
            "effect": attack["effect"],
        }
        for attack in audit["attacks"]
    ]
    content = {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "asked": {
            "task": audit["task"],
            "classes": audit["classes"],
            "images": audit["n_forget"],
            "salted_hashes": salted(hashes, salt),
        },
        "method": audit["method"],
        "model_hashes": {role: audit["model_hashes"][role] for role in ("original", "unlearned")},
        "retrained_hashes": [h for role, h in audit["model_hashes"].items() if role.startswith("retrained")],
        "files": files,
        "audit": {
            "verdict": audit["verdict"]["verdict"],
            "reasons": audit["verdict"]["reasons"],
            "power": audit["power"],
            "cannot_claim": audit["cannot_claim"],
            "images": audit["images"],
            "quick": audit["quick"],
            "seed": audit["seed"],
            "attacks": attacks,
        },
        "versions": config.get("versions"),
        "commit": config.get("commit"),
    }
    return content | {"digest": own_digest(content)}


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
