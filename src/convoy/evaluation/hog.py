"""Oriented gradients as the evaluation's baseline uses them: those of `convoy.data.hog`."""

from convoy.data.hog import ORIENTATIONS, features, window

__all__ = ["ORIENTATIONS", "features", "window"]
