"""What a report does not prove, said for the run at hand."""

from typing import Any

__all__ = ["limits"]

RULE = (
    "A destination is a stop rule, not proof of absence.",
    "It says that chosen measures passed chosen bounds. Traces of the images in the weights may remain that "
    "none of these measures sees.",
)
NO_RETRAINED = (
    "Nothing here was compared with a retrained GAN.",
    "The gold standard is a GAN trained from scratch without the forget images; this run has none beside it.",
)
NO_SEARCH = (
    "Other latents were not searched.",
    "The generator was changed at the latents found for the forget images. Whether some other latent still "
    "makes them (rec_u against rec_t) was not measured in this run.",
)
RANKING = (
    "The scores were tested by ranking alone.",
    "A determined attacker may train an attack, combine queries, or compare with the original network.",
)
NO_SHAM = (
    "There is no sham run beside it.",
    "The learning part of the method alone can change the distance to the retain images; without a sham run "
    "(option --sham) that share is unknown.",
)
NOT_FID = "Distances are comparable within this extractor only, not with the figures of publications."
UNVERIFIED = (
    "Membership is unverified.",
    "Nobody checked that the forget images were among the training images.",
)
ONE_SEED = (
    "One seed is one observation.",
    "Another seed gives somewhat different figures; this page shows a single run.",
)
ONE_COPY = (
    "Only this copy of the network was changed.",
    "Backups, earlier snapshots, published copies and images already generated are as they were.",
)
NO_LAW = (
    "It is no legal assessment.",
    "Whether this answers an erasure request is for the people responsible to decide.",
)


def limits(results: dict[str, Any], fd_name: str | None) -> list[tuple[str, str]]:
    """Return the limits that hold for these results as (what, why)."""
    after = results.get("after") or {}
    own_distance = fd_name is not None and not fd_name.upper().startswith("FID")
    found = [
        (True, RULE),
        (results.get("retrained") is None, NO_RETRAINED),
        (after.get("rec_u") is None, NO_SEARCH),
        (True, RANKING),
        (results.get("sham") is None, NO_SHAM),
        (own_distance, (f"{fd_name} is not FID.", NOT_FID)),
        (results.get("membership") == "unverified", UNVERIFIED),
        (True, ONE_SEED),
        (True, ONE_COPY),
        (True, NO_LAW),
    ]
    return [limit for holds, limit in found if holds]
