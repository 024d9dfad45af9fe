"""Texts: normalised, cut into tokens, kept as ids of a vocabulary that the training split gave."""
