"""The process that a run's DVC commands and stages are forked from: what they import, it imports once.

    python -P -m convoy.pipeline.warm SOCKET      in the project's folder

Imports take most of a short stage's time, they are much the same for all stages, and this process makes
them while the first stages run. It does nothing else: no data, no thread of Python's, no GPU; so forking it
is sound. (The threads that OpenBLAS and Arrow's allocator begin as they are imported are known to those
two, which register with the system what a fork needs.)

    flow --- this process --- dvc repro --single-item NAME --- convoy stage NAME
        socket           a session of its own

A stage is forked before its DVC begins to work, which may begin threads, and waits for DVC's word. Where
the environment, convoy's code or the installed packages are not what they were when this process began, the
stage replaces itself by the command, which imports everything anew.

A request is one byte with three descriptors: for the command's output; for its work, a line of JSON with
arguments and environment; for its exit code. The answer is the command's process number.
"""

import struct

PID = struct.Struct("=q")  # an answer
DESCRIPTORS = 3  # of a request
