"""Strategies of dividing samples, one a file; `convoy.data.split` chooses."""
