"""The compiled readers built with sanitizers, so that a byte read or written out of place, or arithmetic that C does not define, ends the process.

GCC's or Clang's AddressSanitizer and UndefinedBehaviorSanitizer; Python itself is not built with them, so the library of the first is loaded before it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

FLAGS = "-g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"


def environment(cache: Path) -> dict[str, str] | None:
    """The environment in which Python builds the readers so, and keeps them in `cache`; None where no compiler can."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    probe = cache / "probe"
    built = subprocess.run(
        [compiler, *FLAGS.split(), "-x", "c", "-", "-o", str(probe)], input=b"int main(void){return 0;}", capture_output=True, check=False
    )
    if built.returncode or subprocess.run([probe], capture_output=True, check=False).returncode:
        return None
    name = "libasan.so" if "gcc" in Path(compiler).name else "libclang_rt.asan-x86_64.so"
    library = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
    if not Path(library).is_absolute():
        return None
    return os.environ | {
        "CC": f"{compiler} {FLAGS}",
        "XDG_CACHE_HOME": str(cache),
        "LD_PRELOAD": library,
        # Python and its libraries keep memory until the end, and are not ours to judge.
        "ASAN_OPTIONS": "detect_leaks=0:alloc_dealloc_mismatch=0:handle_segv=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }
