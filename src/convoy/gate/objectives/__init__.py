"""How champion and challenger are compared: one module an objective.

Scores      what both answered on the test samples, and what follows from it: `convoy.gate.objectives._base`
"""
