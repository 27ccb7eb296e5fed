"""How much memory a process and its children have had at most (Linux, proc(5)).

The children's own `ru_maxrss` would not do: it begins with what their parent had when it forked.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from types import TracebackType
from typing import Self


def peak(pid: int | str = "self") -> float:
    """The highest resident size of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


class Children:
    """Watches the children of this process while the block runs; `mb` is the highest that one of them had."""

    def __init__(self) -> None:
        self.mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            for task in Path("/proc/self/task").iterdir():
                with contextlib.suppress(OSError, StopIteration):
                    for pid in (task / "children").read_text().split():
                        if "openpgp_child" in Path(f"/proc/{pid}/cmdline").read_text():  # not what has forked and is not yet itself
                            self.mb = max(self.mb, peak(pid))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
