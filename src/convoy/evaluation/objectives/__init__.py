"""What is measured of a trained network, and how the report tells it: one module an objective.

judge(subject, config) -> Judged      see `convoy.evaluation.objectives._base`
"""
