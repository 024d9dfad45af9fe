"""One script a framework: each trains when it is told to, in a process and an environment of its own.

    python -m benchmarks.frameworks.keras_fit DATA [--precision P] [--epochs N] [--threads N]

turns.py is what they say to the benchmark that started them (`benchmarks.processes`). They read the same
.npy files (`benchmarks.mnist`), import nothing of convoy (but for convoy's own), and are written as the
framework's documentation shows it. `*.txt` are the environments of those that convoy does not need itself.
"""
