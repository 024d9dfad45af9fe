"""The checks that the data must pass, in this order: each sees what the earlier ones kept."""

from convoy.data.checks import classes, decodable, duplicates
from convoy.data.checks._base import Check

CHECKS: tuple[Check, ...] = (decodable, duplicates, classes)

__all__ = ["CHECKS", "Check"]
