"""A large file is encrypted and opened in bounded memory. 500 MB, and both tools beside it: python -m tests.bench.adhl_upload"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from include.engine.engine import ROOT
from tests.engine.crypto.envelope.keys import Key, certificate, openpgp

MB = 1 << 20
SIZE, MOST = 100, 64  # MB: of the file, and above the interpreter
CODE = """
import json, sys
from pathlib import Path
from include.engine.crypto.envelope import decrypt, encrypting, recipient
from tests.engine.crypto.envelope.keys import NOW
from tests.engine.crypto.envelope.peak import Children, peak
scheme, folder, size = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
to = [recipient(scheme, "key", (folder / "public").read_bytes(), (folder / "fingerprint").read_text(), at=NOW)]
before = peak()
with Children() as children, (folder / "sealed").open("wb") as out, encrypting(scheme, out, to) as plain:
    for number in range(size):
        plain.write(bytes([number % 251]) * (1 << 20))
encrypted = peak()
with Children() as again, (folder / "sealed").open("rb") as sealed:
    decrypt(scheme, sealed, (folder / "secret").read_bytes(), folder / "opened")
print(json.dumps({"encrypt": encrypted - before + children.mb, "decrypt": peak() - before + again.mb, "child": children.mb}))
"""


@pytest.mark.parametrize(("scheme", "key"), [("openpgp", openpgp), ("cms", certificate)])
def test_memory_does_not_grow_with_the_file(scheme: str, key, tmp_path: Path) -> None:
    made: Key = key()
    for name, content in (("public", made.public), ("secret", made.secret), ("fingerprint", made.fingerprint.encode())):
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", CODE, scheme, str(tmp_path), str(SIZE)], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    used = json.loads(done.stdout)
    assert used["encrypt"] < MOST, used
    assert used["decrypt"] < MOST or scheme == "openpgp", "Sequoia's binding holds what it decrypts: no flow of ours decrypts"
    assert (used["child"] > 0) == (scheme == "openpgp")
    assert (tmp_path / "opened").stat().st_size == SIZE * MB
    with (tmp_path / "opened").open("rb") as opened:
        opened.seek(99 * MB)
        assert opened.read(MB) == bytes([99]) * MB
