"""YAML is read the same with libyaml and without it, and whatever is wrong with it has a line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from include.engine import yamls
from include.engine.engine import ROOT
from include.engine.errors import SettingsError


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nday: 2026-02-31\n", 2, "day is out of range"),
        ("a: 1\n? [b, c]\n: 2\n", 2, "unhashable key"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "could not determine a constructor"),
        ("a: 1\nb: &here [*here]\n", 2, "inside of what it names"),
        ("a: 1\nb: 2\na: 3\n", 3, "'a' stands here a second time"),
        ("a: 1\nb: [1\n", 3, "expected"),
        ("a: 1\n\tb: 2\n", 2, "found"),
        ("a: 1\nb: \x07\n", 2, "characters"),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
    ],
)
def test_what_cannot_be_used_has_a_line(text: str, line: int, words: str) -> None:
    with pytest.raises(yamls.NotYaml) as refused:
        yamls.read(text)
    assert (refused.value.line, words in refused.value.problem) == (line, True), refused.value


def test_a_short_text_that_its_aliases_make_a_huge_one_is_refused_before_it_is_followed() -> None:
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(yamls.NotYaml, match="too large"):
        yamls.load("\n".join(lines))


def test_a_text_nested_without_end_is_refused() -> None:
    with pytest.raises(yamls.NotYaml):
        yamls.load("[" * 5000)


def test_an_empty_text_is_nothing() -> None:
    assert yamls.read("# only a comment\n") == (None, None)


def test_a_merged_key_may_be_said_anew() -> None:
    assert yamls.load("base: &base {a: 1, b: 2}\nother: {<<: *base, b: 3}\n")["other"] == {"a": 1, "b": 3}


@pytest.mark.parametrize(
    "file", sorted([*ROOT.glob("include/partners/*.yaml"), *ROOT.glob("data_contracts/*.yaml")]), ids=lambda file: file.name
)
def test_it_reads_what_the_plain_reader_reads(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert yamls.load(text) == yaml.load(text, Loader=yaml.SafeLoader)


def test_settings_that_cannot_be_used_name_file_and_line(tmp_path: Path) -> None:
    class Doors(BaseModel):
        count: int = 3

    file = tmp_path / "doors.yaml"
    file.write_text("")
    assert yamls.settings(Doors, file, "the doors").count == 3
    for text, words in (("count: 1\ncount: 2\n", "line 2"), ("count: many\n", "count")):
        file.write_text(text)
        with pytest.raises(SettingsError, match=rf"doors\.yaml: the doors cannot be used: (.|\n)*{words}"):
            yamls.settings(Doors, file, "the doors")
    with pytest.raises(SettingsError, match="the doors cannot be used"):
        yamls.settings(Doors, tmp_path / "none.yaml", "the doors")
