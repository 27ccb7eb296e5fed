"""The machine's C compiler, and the user's folder for what it built: compiled parts are optional, made once, and known by the hash of what they came from."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path


def cache() -> Path:
    """The user's own folder for built libraries. PermissionError where somebody else has made it."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bindery"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} is someone else's")
    return folder


def name_of(parts: Iterable[bytes]) -> str:
    """What is built from these on this kind of machine is called so."""
    digest = hashlib.sha256()
    for part in (*parts, platform.machine().encode(), platform.system().encode()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]


def build(source: Path, library: Path, flags: list[str]) -> None:
    """A C source as a library; it is there whole or not at all. FileNotFoundError without a compiler, SubprocessError where it fails."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise FileNotFoundError("no C compiler")
    with tempfile.TemporaryDirectory(dir=library.parent) as made:
        draft = Path(made) / library.name
        subprocess.run([*compiler.split(), *flags, str(source), "-o", str(draft)], check=True, capture_output=True, timeout=300)
        draft.replace(library)  # whoever builds at the same time does the same
