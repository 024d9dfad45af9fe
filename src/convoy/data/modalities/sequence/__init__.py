"""Sequences: numbers over time in one channel or several, of one length or of many."""
