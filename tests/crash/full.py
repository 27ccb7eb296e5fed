"""A delivery on a disk that is full, once in each step: python -m tests.crash.full HOME STEPS. Run inside a mount namespace of its own.

HOME holds a delivery that is claimed (its id in HOME/claimed). A small disk is mounted where the step writes, and filled; the step is tried; then
there is room, and it is tried again. Prints, as JSON, what each try came to and what a reader saw in between.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from connectors import flow_models
from connectors.ils import inbound
from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.lake import read
from include.engine.lake.table import exists
from include.engine.ledger import deliveries

SIZE = 8 << 20
FOLDERS = {"receive": ("landing", "staging"), "gate": ("staging",), "publish": ("lake",)}


def mounted(folder: Path) -> Path:
    """A disk of SIZE bytes at `folder`, with what was there, filled to the brim; returns the file that fills it."""
    folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_mount():
        aside = folder.with_name(f"{folder.name} before")
        folder.rename(aside)
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)], check=True)
        shutil.copytree(aside, folder, dirs_exist_ok=True)
    ballast = folder / ".ballast"
    with ballast.open("wb", buffering=0) as file:
        block = bytes(4096)
        while True:
            try:
                file.write(block)
            except OSError:
                return ballast


def tried(engine: Engine, step: str, delivery: str) -> dict[str, Any]:
    """What a try of a step came to."""
    said = ""
    try:
        getattr(import_module(f"include.engine.inbound.{step}"), step)(engine, delivery, inbound)
    except BinderyError as error:
        said = f"{error.code}: {error.what}"
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    now = deliveries.get(engine.ledger, delivery)
    seen = len(read.read(engine.lake, now.table, columns=["partner"])) if exists(engine.lake, now.table) else 0
    parts = [path.name for path in engine.home.rglob("*.part")]
    return {"step": step, "said": said, "state": str(now.state), "reason": now.reason, "seen": seen, "parts": parts}


def main(home: Path) -> None:
    """Take the delivery through, each step once on each full disk."""
    engine = Engine.open(EnvironmentCredentials(), flow_models())
    delivery, told = (home / "claimed").read_text(), []
    for step, folders in FOLDERS.items():
        for folder in folders:
            ballast = mounted(home / folder)
            told.append(tried(engine, step, delivery) | {"full": folder})
            ballast.unlink()
        told.append(tried(engine, step, delivery))
    told.append(tried(engine, "acknowledge", delivery))
    print(json.dumps(told))


if __name__ == "__main__":
    os.environ.setdefault("TZ", "UTC")
    main(Path(sys.argv[1]))
