"""A count of images through G and D: a cost that no slow code can flatter. Passes of D's head alone are not counted."""

from dataclasses import asdict, dataclass

__all__ = ["Work"]


@dataclass
class Work:
    """Images through each network, forward and backward."""

    g_forward: int = 0
    g_backward: int = 0
    d_forward: int = 0
    d_backward: int = 0

    def add(self, other: "Work") -> None:
        """Add another count to this one."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)
