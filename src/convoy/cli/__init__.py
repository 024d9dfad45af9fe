"""The command line. Heavy imports happen inside commands, so that `convoy --help` answers at once."""

from convoy.cli.app import main

__all__ = ["main"]
