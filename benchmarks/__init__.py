"""Side-by-side measurements: every figure is a ratio, or a difference, taken in one run on one machine.

    python -m benchmarks [epoch] [dataset] [flow] [help] [--json FILE]

measure.py holds the method (sides in turns, medians), prepared.py the data, ours.py and peers.py the sides.
"""
