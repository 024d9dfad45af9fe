"""Checks of sequences; those of any sample are in `convoy.data.checks`."""
