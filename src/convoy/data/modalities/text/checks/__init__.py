"""Checks of texts; those of any sample are in `convoy.data.checks`."""
