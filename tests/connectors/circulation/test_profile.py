"""A profile that cannot be used says so when it is read, with line and what is allowed, and never to a patron who waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.circulation.profile import load
from connectors.circulation.terminals import Terminals
from include.engine.errors import SettingsError


def test_the_standard_profile_is_the_default() -> None:
    assert load("standard").framing.encoding == "utf-8"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title: X\noutput:\n  rewrite:\n    - ['(a', b]\n", "line 4: output.rewrite.0.0: it is no regular expression: missing )"),
        ("output: {rewrite: [['(a+)+$', b]]}", "a repetition of a repetition may take for ever; write it as one, such as"),
        ("output: {rewrite: [['(?:x*){2,}', b]]}", "a repetition of a repetition"),
        (f"output: {{rewrite: [['{'a' * 201}', b]]}}", "a pattern has at most 200 characters"),
        ("output: {rewrite: [['a{99999999999999999999}', b]]}", "it is no regular expression"),
        ("output: {rewrite: [['a', '\\9']]}", "what stands in its place cannot be used: invalid group reference"),
        ("framing:\n  encoding: runes\n", "line 2: framing.encoding: 'runes' is no encoding; such as utf-8, latin-1, cp850"),
        ("framing: {terminator: crcr}", "line 1: framing.terminator: Input should be 'cr', 'crlf' or 'lf'"),
        (
            "output:\n  birthdate: true\n",
            "line 2: output.birthdate: is not known here; did you mean 'birth_date'? allowed: allowed, birth_date",
        ),
        ("output: {name: '{nam}'}", "output.name: the template cannot be filled: there are {name}, {category}, {home_library}"),
        ("output: {name: '{name.__class__}'}", "the template cannot be filled"),
        ("output: {fee_line: '{amount:>9999999999}'}", "the template cannot be filled"),
        ("output: {fee_line: '{amount:x}'}", "the template cannot be filled"),
        ("output: {custom: {XC: '{category'}}", "output.custom.XC: the template cannot be filled"),
        ("output: {custom: {AO: x}}", "fields of the protocol cannot be a site's own: AO"),
        ("policy: {messages: ['11', '77']}", "no messages of SIP2: 77"),
        ("- a list", "Input should be a valid dictionary"),
        ("title: [", "line 2"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "kiosk.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError) as told:
        load("kiosk", tmp_path)
    assert str(file) in str(told.value)
    assert words in str(told.value)


def test_a_file_that_is_no_utf8_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "kiosk.yaml").write_bytes("title: Åby".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"kiosk\.yaml: the profile cannot be used: 'utf-8' codec"):
        load("kiosk", tmp_path)


def test_a_terminal_s_password_that_is_no_hash_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "terminals.yaml"
    file.write_text("institution: x\ntimezone: Europe/Copenhagen\nterminals:\n  k1:\n    password: hunter2\n    brach: main\n")
    with pytest.raises(SettingsError) as told:
        Terminals.load(file)
    assert "hunter2" not in str(told.value)
    assert "line 5: terminals.k1.password: a password stands here as its hash" in str(told.value)
    assert "line 6: terminals.k1.brach: is not known here; did you mean 'branch'? allowed: addresses, branch" in str(told.value)
