"""The checks that the data must pass, in this order: each sees what the earlier ones did not leave out."""

from convoy.data.checks import (
    blank,
    changes,
    classes,
    conflicts,
    duplicates,
    groups,
    imbalance,
    labels,
    leakage,
    mode,
    near_duplicates,
    oversized,
    size,
    unreadable,
)
from convoy.data.checks._base import Check, Context, Finding

OPENING: tuple[Check, ...] = (unreadable, oversized)  # see all rows; the others those that open
CHECKS: tuple[Check, ...] = (
    *OPENING,
    labels,
    blank,
    size,
    mode,
    conflicts,
    leakage,
    duplicates,
    near_duplicates,
    groups,
    imbalance,
)
LAST: tuple[Check, ...] = (classes, changes)  # see what is kept in the end


__all__ = ["CHECKS", "LAST", "OPENING", "Check", "Context", "Finding"]
