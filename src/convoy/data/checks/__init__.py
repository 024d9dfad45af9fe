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
# What says the same of samples of any kind: they are compared by their content, labels, groups and splits.
ANY: tuple[Check, ...] = (conflicts, leakage, duplicates, near_duplicates, groups, imbalance)
CHECKS: tuple[Check, ...] = (*OPENING, labels, blank, size, mode, *ANY)
LAST: tuple[Check, ...] = (classes, changes)  # see what is kept in the end


__all__ = ["ANY", "CHECKS", "LAST", "OPENING", "Check", "Context", "Finding"]
