"""The sidecar compiled: the same answers, never of older sources, and a clear word where it cannot be had."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from connectors.circulation import compiled
from include.engine.errors import SettingsError

SMALL = ("sip2.framing",)
HEADERS = (Path(sysconfig.get_path("include")) / "Python.h").exists()
buildable = pytest.mark.skipif(not HEADERS, reason="Python's C headers are not installed: apt-get install python3-dev")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(compiled.SETTING, raising=False)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))


@buildable
@pytest.mark.long
def test_all_of_it_compiled_holds_every_golden_conversation() -> None:
    compiled.build(optimise="-O0", at_once=1)
    run = [sys.executable, "-m", "pytest", "-q", "-p", "tests.connectors.circulation.as_compiled", "-p", "no:cacheprovider"]
    found = subprocess.run(
        [*run, "tests/connectors/circulation/sip2/test_golden.py", "tests/connectors/circulation/embedded/test_memory.py"],
        capture_output=True, text=True, timeout=600, env=_alone(),
    )  # fmt: skip
    assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-2000:]
    seen = subprocess.run([sys.executable, "-c", _TOLD], capture_output=True, text=True, timeout=120, env=_alone())
    assert seen.stdout.split() == ["cython_function_or_method", "store.py", "True"], seen.stderr


_TOLD = """
from connectors.circulation import compiled
compiled.use()
from connectors.circulation.embedded import store
from connectors.circulation.sip2 import codec
print(type(codec.parse).__name__, store.__file__.rpartition("/")[2], codec.parse("9900302.00").fixed["protocol version"] == "2.00")
"""


def _alone() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV_"))}


@buildable
def test_a_changed_source_is_not_answered_by_what_was_built_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = tmp_path / "sources"
    (sources / "sip2").mkdir(parents=True)
    changed = sources / "sip2" / "framing.py"
    changed.write_bytes((compiled._SOURCES / "sip2" / "framing.py").read_bytes())
    compiled.build(SMALL, optimise="-O0")
    monkeypatch.setattr(compiled, "_SOURCES", sources)
    assert compiled.use(SMALL)  # the same bytes elsewhere
    changed.write_text(changed.read_text() + "\nA_CHANGE = 1\n")
    assert not compiled.use(SMALL)


@buildable
def test_what_cannot_be_imported_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tried(*_: object) -> None:
        raise subprocess.CalledProcessError(1, "import", stderr=b"first\nno field may be called so")

    monkeypatch.setattr(compiled, "_tried", tried)
    with pytest.raises(SettingsError, match="no field may be called so"):
        compiled.build(SMALL, optimise="-O0")
    assert not compiled.folder(SMALL).exists()
    assert not compiled.use(SMALL)


@buildable
@pytest.mark.parametrize("slow", ["cython", "compiler"])
def test_a_build_that_takes_too_long_is_told_and_leaves_nothing_behind(slow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if slow == "cython":
        monkeypatch.setattr(compiled, "_SECONDS", 0.0)
    else:
        run = subprocess.run

        def in_no_time(command: list[str], **more: Any) -> Any:
            return run(command, **more | ({"timeout": 0.0} if "-shared" in command else {}))

        monkeypatch.setattr(subprocess, "run", in_no_time)
    with pytest.raises(SettingsError, match="longer than 0 seconds"):
        compiled.build(SMALL, optimise="-O0")
    assert list(compiled.folder(SMALL).parent.iterdir()) == []
    assert not compiled.use(SMALL)


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SettingsError, match="apt-get install"):
        compiled.build(SMALL)
    assert list(compiled.folder(SMALL).parent.iterdir()) == []


def test_switched_off_nothing_compiled_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled.folder().mkdir()
    monkeypatch.setenv(compiled.SETTING, "off")
    assert not compiled.use()


def test_a_cache_that_cannot_be_had_is_no_reason_not_to_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert not compiled.use()
