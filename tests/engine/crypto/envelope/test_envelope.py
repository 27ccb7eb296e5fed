"""What is encrypted here opens in GnuPG and OpenSSL, and theirs here; and nothing is encrypted to a key that may not be used."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.engine.crypto.envelope import Recipient, Scheme, ber, decrypt, encrypting, recipient
from include.engine.crypto.envelope import openpgp as openpgp_scheme
from include.engine.errors import Refused, Tampered
from tests.engine.crypto.envelope.keys import DAY, NOW, Key, certificate, openpgp, openpgp_revoked, revocation_list
from tests.engine.crypto.envelope.tools import gnupg, openssl

SCHEMES: dict[Scheme, Callable[[], Key]] = {"openpgp": openpgp, "cms": certificate}
SIZES = [0, 1, 15, 16, 17, (1 << 16) - 1, 1 << 16, (1 << 20) + 3]


def known(scheme: Scheme, key: Key) -> Recipient:
    return recipient(scheme, "dbc_key", key.public, key.fingerprint, at=NOW)


def sealed(scheme: Scheme, content: bytes, *keys: Key) -> bytes:
    out = io.BytesIO()
    with encrypting(scheme, out, [known(scheme, key) for key in keys]) as plain:
        for start in range(0, len(content), 100_000):
            plain.write(content[start : start + 100_000])
    return out.getvalue()


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> Scheme:
    return request.param


@pytest.mark.parametrize("size", SIZES)
def test_what_is_encrypted_is_opened_again(scheme: Scheme, size: int, tmp_path: Path) -> None:
    content, key = os.urandom(size), SCHEMES[scheme]()
    decrypt(scheme, io.BytesIO(sealed(scheme, content, key)), key.secret, tmp_path / "plain")
    assert (tmp_path / "plain").read_bytes() == content


@pytest.mark.parametrize("kind", ["future-default", "rsa2048"])
def test_gnupg_opens_ours_and_we_open_theirs(kind: str, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "plain").write_bytes(content)
    with gnupg(kind) as (gpg, key):
        if kind == "rsa2048":  # GnuPG makes no encryption subkey beside an RSA key that is asked for by its name
            add = ["--pinentry-mode", "loopback", "--passphrase", "", "--quick-add-key", key.fingerprint, "rsa2048", "encr"]
            subprocess.run([*gpg, *add], check=True, capture_output=True)
            export = [*gpg, "--pinentry-mode", "loopback", "--passphrase", ""]
            public, secret = (
                subprocess.run([*export, how], check=True, capture_output=True).stdout for how in ("--export", "--export-secret-keys")
            )
            key = Key(public, secret, key.fingerprint)
        opened = subprocess.run([*gpg, "--decrypt"], input=sealed("openpgp", content, key), check=True, capture_output=True)
        assert opened.stdout == content
        subprocess.run([*gpg, "-r", key.fingerprint, "-o", str(tmp_path / "sealed"), "--encrypt", str(tmp_path / "plain")], check=True)
        with (tmp_path / "sealed").open("rb") as theirs:
            decrypt("openpgp", theirs, key.secret, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == content


def test_a_key_without_a_part_for_encrypting_is_refused() -> None:
    with gnupg("rsa2048") as (_, signer):
        assert refused("openpgp", signer) == "RECIPIENT_UNUSABLE"


@pytest.mark.parametrize("how", [["-stream"], [], ["-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"]])
def test_openssl_opens_ours_and_we_open_theirs(how: list[str], tmp_path: Path) -> None:
    key, content = certificate(), os.urandom(700_001)
    for name, octets in (("plain", content), ("ours", sealed("cms", content, key)), ("cert.pem", key.public), ("key.pem", key.secret)):
        (tmp_path / name).write_bytes(octets)
    files = {name: str(tmp_path / name) for name in ("plain", "ours", "theirs", "opened", "cert.pem", "key.pem")}
    openssl(
        "-decrypt",
        "-inform",
        "DER",
        "-binary",
        "-in",
        files["ours"],
        "-inkey",
        files["key.pem"],
        "-recip",
        files["cert.pem"],
        "-out",
        files["opened"],
    )
    assert Path(files["opened"]).read_bytes() == content
    given = ["-encrypt", "-binary", "-outform", "DER", "-aes256", "-in", files["plain"], "-out", files["theirs"]]
    openssl(*given, *[one for one in how if one == "-stream"], "-recip", files["cert.pem"], *[one for one in how if one != "-stream"])
    with Path(files["theirs"]).open("rb") as theirs:
        decrypt("cms", theirs, key.secret, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == content


def test_while_keys_rotate_two_recipients_can_open_the_same_file(scheme: Scheme, tmp_path: Path) -> None:
    old, new = SCHEMES[scheme](), openpgp("New") if scheme == "openpgp" else certificate("new")
    both = sealed(scheme, b"20090130,", old, new)
    for key in (old, new):
        decrypt(scheme, io.BytesIO(both), key.secret, tmp_path / "plain")
        assert (tmp_path / "plain").read_bytes() == b"20090130,"


def test_somebody_else_cannot_open_it_and_nothing_is_left_behind(scheme: Scheme, tmp_path: Path) -> None:
    other = openpgp("Other") if scheme == "openpgp" else certificate("other")
    with pytest.raises(Tampered):
        decrypt(scheme, io.BytesIO(sealed(scheme, b"x" * 99_999, SCHEMES[scheme]())), other.secret, tmp_path / "plain")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_cut_short_leaves_nothing_behind(scheme: Scheme, tmp_path: Path) -> None:
    key = SCHEMES[scheme]()
    whole = sealed(scheme, b"x" * 300_000, key)
    for length in (0, 10, len(whole) // 2, len(whole) - 30):
        with pytest.raises(Tampered):
            decrypt(scheme, io.BytesIO(whole[:length]), key.secret, tmp_path / "plain")
    assert list(tmp_path.iterdir()) == []


def test_openpgp_that_was_altered_is_refused(tmp_path: Path) -> None:
    whole = bytearray(sealed("openpgp", b"x" * 300_000, openpgp()))
    whole[200_000] ^= 1
    with pytest.raises(Tampered):
        decrypt("openpgp", io.BytesIO(bytes(whole)), openpgp().secret, tmp_path / "plain")
    assert list(tmp_path.iterdir()) == []


def test_the_content_is_not_in_the_file(scheme: Scheme) -> None:
    assert b"0101901234" not in sealed(scheme, b"0101901234" * 1000, SCHEMES[scheme]())


def test_a_consumer_that_fails_ends_it_and_its_error_is_told(scheme: Scheme) -> None:
    class Full:
        def write(self, data: bytes) -> int:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"), encrypting(scheme, Full(), [known(scheme, SCHEMES[scheme]())]) as plain:
        for _ in range(100):
            plain.write(b"x" * 100_000)


def test_a_writer_that_fails_leaves_a_file_that_cannot_be_opened(scheme: Scheme, tmp_path: Path) -> None:
    key, out = SCHEMES[scheme](), io.BytesIO()
    with pytest.raises(KeyError), encrypting(scheme, out, [known(scheme, key)]) as plain:
        plain.write(b"x" * 1_000_000)
        raise KeyError
    with pytest.raises(Tampered):
        decrypt(scheme, io.BytesIO(out.getvalue()), key.secret, tmp_path / "plain")


def refused(scheme: Scheme, key: Key, fingerprint: str | None = None, **more: object) -> str:
    with pytest.raises(Refused) as stop:
        recipient(scheme, "dbc_key", key.public, fingerprint or key.fingerprint, **{"at": NOW, **more})  # type: ignore[arg-type]
    assert "dbc_key" in str(stop.value)
    return stop.value.code


def test_a_key_that_has_expired_is_refused() -> None:
    assert refused("openpgp", openpgp("Short", 86_400), at=NOW + 2 * DAY) == "RECIPIENT_EXPIRED"
    assert refused("cms", certificate("old", -9, -1)) == "RECIPIENT_EXPIRED"
    assert refused("cms", certificate("early", 1, 9)) == "RECIPIENT_EXPIRED"


def test_a_key_that_was_revoked_is_refused() -> None:
    assert refused("openpgp", openpgp_revoked()) == "RECIPIENT_REVOKED"
    key = certificate()
    assert refused("cms", key, revoked=revocation_list(key, key)) == "RECIPIENT_REVOKED"
    assert recipient("cms", "dbc_key", key.public, key.fingerprint, at=NOW, revoked=revocation_list(key)).fingerprint == key.fingerprint


def test_a_list_of_revoked_keys_that_says_nothing_of_this_one_is_refused() -> None:
    key = certificate()
    assert refused("cms", key, revoked=revocation_list(certificate("another"))) == "RECIPIENT_UNUSABLE"
    assert refused("cms", key, revoked=revocation_list(key, ends=-1)) == "RECIPIENT_UNUSABLE"
    assert refused("cms", key, revoked=b"no list") == "RECIPIENT_UNUSABLE"


def test_another_key_than_the_one_that_was_agreed_is_refused(scheme: Scheme) -> None:
    other = openpgp("Other") if scheme == "openpgp" else certificate("other")
    assert refused(scheme, SCHEMES[scheme](), other.fingerprint) == "RECIPIENT_WRONG"


def test_a_fingerprint_may_be_written_as_people_write_it(scheme: Scheme) -> None:
    key = SCHEMES[scheme]()
    spaced = " ".join(key.fingerprint[at : at + 4] for at in range(0, len(key.fingerprint), 4)).upper()
    assert recipient(scheme, "dbc_key", key.public, spaced, at=NOW).fingerprint == key.fingerprint


def test_what_is_no_key_or_may_not_encrypt_is_refused(scheme: Scheme) -> None:
    assert refused(scheme, Key(b"rubbish", b"", "00")) == "RECIPIENT_UNUSABLE"
    assert refused("cms", certificate("signer", wrap=False)) == "RECIPIENT_UNUSABLE"


def test_nothing_is_encrypted_to_nobody(scheme: Scheme) -> None:
    with pytest.raises(ValueError, match="nobody"), encrypting(scheme, io.BytesIO(), []):
        pass


def test_a_recipient_shows_no_key() -> None:
    assert "material" not in repr(known("openpgp", openpgp()))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.binary(max_size=70_000), max_size=5))
def test_cms_is_the_same_however_it_is_written(pieces: list[bytes], tmp_path: Path) -> None:
    key, out = certificate(), io.BytesIO()
    with encrypting("cms", out, [known("cms", key)]) as plain:
        for piece in pieces:
            assert plain.write(piece) == len(piece)
    decrypt("cms", io.BytesIO(out.getvalue()), key.secret, tmp_path / "plain")
    assert (tmp_path / "plain").read_bytes() == b"".join(pieces)


@given(value=st.integers(min_value=-(2**70), max_value=2**170))
def test_integers_are_written_in_the_fewest_octets(value: int) -> None:
    [(tag, content)] = ber.children(ber.integer(value))
    assert tag == 2 and int.from_bytes(content, "big", signed=True) == value
    assert len(content) == 1 or int.from_bytes(content[1:], "big", signed=True) != value


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), at=st.integers(0, 600))
def test_a_damaged_file_is_tampered_and_nothing_else(data: bytes, at: int, tmp_path: Path) -> None:
    whole = sealed("cms", b"x" * 100, certificate())
    broken = whole[:at] + data
    if broken != whole:
        with contextlib.suppress(Tampered):
            decrypt("cms", io.BytesIO(broken), certificate().secret, tmp_path / "plain")


def test_openpgp_is_opened_up_to_a_size_and_what_is_larger_leaves_nothing_behind(tmp_path: Path) -> None:
    key = openpgp()
    closed = sealed("openpgp", os.urandom(500_000), key)
    openpgp_scheme.decrypt(io.BytesIO(closed), key.secret, tmp_path / "plain", most=len(closed))
    with pytest.raises(Refused, match="FILE_TOO_LARGE"):
        openpgp_scheme.decrypt(io.BytesIO(closed), key.secret, tmp_path / "again", most=len(closed) - 1)
    assert [file.name for file in tmp_path.iterdir()] == ["plain"]
