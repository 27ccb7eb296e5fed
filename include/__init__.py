"""The engine, the profiles and the sandbox. What holds for every process that uses them is set here, before Arrow is loaded."""

import contextlib
import ctypes
import os

# Arrow's own allocator keeps the memory that threads gave back: at the peak of an import of a million loans that is 150 MB of 900, for no gain
# in speed that could be measured (docs/benchmarks.md). Who sets the variable decides otherwise.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

# Threads come and go, and glibc gives each a heap of its own that keeps what it freed: two are enough (mallopt(3), M_ARENA_MAX is -8).
if "MALLOC_ARENA_MAX" not in os.environ:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(-8, 2)
