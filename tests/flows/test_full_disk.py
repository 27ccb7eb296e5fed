"""A disk of ours that is full stops a delivery with a plain word; once there is room it goes on, and nothing was half visible."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys

import pytest

from include.engine.delivery import State
from include.engine.full import home_full
from tests.flows.conftest import Make
from tests.flows.files import ITEMS, csv, items
from tests.house import MASTER


def _may_mount() -> bool:
    asked = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    return shutil.which("unshare") is not None and subprocess.run(asked, capture_output=True, check=False).returncode == 0


def test_each_step_on_a_full_disk_says_so_shows_nothing_and_goes_on_when_there_is_room(at: Make) -> None:
    if not _may_mount():
        pytest.skip("no mount namespace can be made here (unshare -rm)")
    house = at()
    house.drop("items_1.csv", csv(ITEMS, items(1, 300)))
    [claimed] = house.claimed()
    (house.engine.home / "claimed").write_text(claimed.id)
    environment = {**os.environ, **MASTER, "BINDERY_HOME": str(house.engine.home), "BINDERY_LEDGER": house.engine.ledger.url}
    environment |= {"BINDERY_PARTNERS": str(house.engine.partners_folder)}
    asked = ["unshare", "-rm", sys.executable, "-m", "tests.crash.full", str(house.engine.home)]
    done = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    hindered = [one for one in told if "full" in one]
    assert [(one["step"], one["full"]) for one in hindered] == [
        ("receive", "landing"), ("receive", "staging"), ("gate", "staging"), ("publish", "lake"),
    ]  # fmt: skip
    for one in hindered:
        assert one["said"].startswith("HOME_FULL: the disk of this installation is full"), one
        assert (one["reason"], one["seen"], one["parts"]) == ("HOME_FULL", 0, []), one
    assert [(one["state"], one["seen"], one["said"]) for one in told if "full" not in one] == [
        ("staged", 0, ""), ("gated", 0, ""), ("published", 300, ""), ("acknowledged", 300, ""),
    ]  # fmt: skip
    after = house.get(claimed.id)
    assert (after.state, after.counts.published, after.reason) == (State.ACKNOWLEDGED, 300, None)


def test_a_full_disk_is_known_by_its_number_and_by_the_words_of_libraries_that_pass_on_no_number() -> None:
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        assert home_full(OSError(number, "x")) is not None
    assert home_full(RuntimeError("Generic LocalFileSystem error: No space left on device (os error 28)")) is not None
    try:
        try:
            raise OSError(errno.EDQUOT, "x")
        except OSError as cause:
            raise ValueError("something else") from cause
    except ValueError as error:
        assert home_full(error) is not None
    assert home_full(OSError(errno.EACCES, "x")) is None
