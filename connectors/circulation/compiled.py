"""What answers kiosks, compiled by Cython from the same files: python -m connectors.circulation compile

The libraries lie in the user's cache in a folder that is named after their sources, so that a changed source is never answered by what was
built of another. `serve` takes them where they are; without them, or with BINDERY_COMPILED=off, it runs the sources. docs/decisions/circulation-compiled.md
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.metadata import version
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from include import compiler
from include.engine.errors import SettingsError

SETTING = "BINDERY_COMPILED"
PACKAGE = "connectors.circulation"
MODULES = (
    "journal.writing", "lockout", "metrics", "plain",
    "embedded.backend", "embedded.decision", "embedded.lending", "embedded.memory", "embedded.recent", "embedded.remembered",
    "embedded.store", "embedded.terms", "embedded.views",
    "sip2.answering", "sip2.codec", "sip2.context", "sip2.dates", "sip2.framing", "sip2.lending", "sip2.patrons", "sip2.server", "sip2.session",
)  # fmt: skip
"""Where a message's time goes. A class of pydantic's takes no compiled methods, so the rules are not among them.

A file of the same name that ends in .pxd tells Cython how the attributes of a class and the variables of a function are kept, where most is asked
of them; Python knows nothing of it.
"""
_SOURCES = Path(__file__).parent
_ANNOTATIONS = "annotation_typing=False"
"""Annotations are for people and mypy here: with all of them as C types nothing was faster."""
_SECONDS = 300.0
"""For one module, or for importing all of them."""


def folder(modules: Sequence[str] = MODULES) -> Path:
    """Where these modules' libraries lie, or will."""
    parts = [version("cython"), sys.implementation.cache_tag, *modules]
    sources = [path.read_bytes() for module in modules for path in (_source(module), _source(module).with_suffix(".pxd")) if path.exists()]
    return compiler.cache() / f"circulation-{compiler.name_of([*map(str.encode, parts), *sources])}"


def build(modules: Sequence[str] = MODULES, *, optimise: str = "-O2", at_once: int = os.cpu_count() or 1) -> Path:
    """The libraries of these modules, built where they are not there. SettingsError says what is missing or went wrong; nothing is half built."""
    found = folder(modules)
    if found.is_dir():
        return found
    headers = sysconfig.get_path("include")
    if not (Path(headers) / "Python.h").exists():
        raise SettingsError("Python's C headers are not there.", do="On Debian or Ubuntu: apt-get install python3-dev gcc libc6-dev")
    flags = [optimise, "-shared", "-fPIC", f"-I{headers}"]
    try:
        with tempfile.TemporaryDirectory(dir=found.parent) as made, ThreadPoolExecutor(at_once) as pool:
            done = Path(made) / "done"
            done.mkdir()
            for _ in pool.map(lambda module: _build(module, Path(made), done, flags), modules):
                pass
            _tried(done, modules)
            try:
                done.replace(found)  # all of them or none
            except OSError:  # whoever builds at the same time does the same
                if not found.is_dir():
                    raise
    except FileNotFoundError as missing:
        raise SettingsError(f"{missing} was found.", do="On Debian or Ubuntu: apt-get install gcc libc6-dev") from missing
    except subprocess.TimeoutExpired as late:
        raise SettingsError(
            f"the compiler took longer than {late.timeout:.0f} seconds for one part and was stopped; nothing was kept.",
            do="Try again when the machine has less to do; serve runs without compiled parts just as well.",
        ) from late
    except subprocess.CalledProcessError as failed:
        last = (failed.stderr or b"").decode("utf-8", "replace").strip().splitlines()[-1:]
        raise SettingsError(f"the compiler failed: {' '.join(last)}", do="serve runs without compiled parts just as well.") from failed
    return found


def use(modules: Sequence[str] = MODULES) -> bool:
    """From now on these modules are imported compiled, where they are built and nobody has switched them off; called before they are imported."""
    if os.environ.get(SETTING, "") == "off":
        return False
    try:
        found = folder(modules)
    except OSError:
        return False  # a cache that cannot be had is no reason not to serve
    if not found.is_dir():
        return False
    taken(found, modules)
    return True


def taken(libraries: Path, modules: Sequence[str]) -> None:
    """Take these modules from a folder of libraries when they are imported."""
    sys.meta_path.insert(0, _Finder({f"{PACKAGE}.{module}": libraries / f"{module}.so" for module in modules}))


def _build(module: str, drafts: Path, done: Path, flags: list[str]) -> None:
    source, drafted = _source(module), drafts / f"{module}.c"
    asked = ["-3", "-I", str(_SOURCES.parents[1]), "-X", _ANNOTATIONS, "-X", "emit_code_comments=False"]
    asked += ["--module-name", f"{PACKAGE}.{module}", "-o", str(drafted)]
    subprocess.run([sys.executable, "-m", "cython", *asked, str(source)], check=True, capture_output=True, timeout=_SECONDS)
    compiler.build(drafted, done / f"{module}.so", flags)


def _tried(libraries: Path, modules: Sequence[str]) -> None:
    """Import all of them in another process: what cannot be imported is never kept, for the sidecar could not start with it."""
    trial = """
import sys
from importlib import import_module
from pathlib import Path
from connectors.circulation import compiled
compiled.taken(Path(sys.argv[1]), sys.argv[2:])
for module in sys.argv[2:]:
    import_module(f"{compiled.PACKAGE}.{module}")
"""
    command = [sys.executable, "-c", trial, str(libraries), *modules]
    subprocess.run(command, cwd=_SOURCES.parents[1], check=True, capture_output=True, timeout=_SECONDS)


def _source(module: str) -> Path:
    return _SOURCES.joinpath(*module.split(".")).with_suffix(".py")


class _Finder(MetaPathFinder):
    """Finds the compiled modules, before their sources are found."""

    def __init__(self, libraries: dict[str, Path]) -> None:
        self._libraries = libraries

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        library = self._libraries.get(fullname)
        if library is None:
            return None
        return spec_from_file_location(fullname, library, loader=_Loader(fullname, str(library)))


class _Loader(ExtensionFileLoader):
    """A module's `__file__` is its source: what lies beside it is found from there."""

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(_source(module.__name__.removeprefix(f"{PACKAGE}.")))
        super().exec_module(module)
