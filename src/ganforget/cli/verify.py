"""``ganforget verify``."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ganforget.cli.session import Session
from ganforget.cli.tables import facts_table

__all__ = ["verify"]

FAILED = 3
"""Exit status where something that was recomputed does not hold."""


def verify(
    certificate: Path,
    *,
    model: str | None = None,
    original: str | None = None,
    forget: Path | None = None,
    salt: Path | None = None,
    session: Annotated[Session, Parameter(parse=False)],
) -> int:
    """Recompute what can be recomputed of an audit's certificate.

    Parameters
    ----------
    certificate:
        The certificate.json.
    model:
        The unlearned GAN: a model folder or a run folder.
    original:
        The GAN before unlearning.
    forget:
        Images that were forgotten: a folder or ZIP of them, or a forget_set.json. Some of them will do.
    salt:
        The file with the salt (default: certificate.salt beside the certificate).
    """
    from ganforget.api.certifying import verify_certificate

    checks = verify_certificate(certificate, model=model, original=original, forget=forget, salt=salt)
    words = {True: "holds", False: "DOES NOT HOLD", None: "not checked"}
    session.show(facts_table([(check.what, f"{words[check.holds]}: {check.detail}") for check in checks]))
    session.emit([{"what": check.what, "holds": check.holds, "detail": check.detail} for check in checks])
    return FAILED if any(check.holds is False for check in checks) else 0
