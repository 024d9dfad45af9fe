"""Checks of tables; those of any sample are in `convoy.data.checks`."""
