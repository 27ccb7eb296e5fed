"""What patrons read on a screen, in their language."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from include.engine import yamls

Language = Literal["en", "da", "sv", "nl"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


WORDS = Path(__file__).with_name("words.yaml")


def table() -> dict[str, dict[str, str]]:
    """Each reason's sentence by language."""
    return yamls.phrases(WORDS)


def words(reason: str, language: str, **values: object) -> str:
    """The sentence of a reason, with its placeholders filled. KeyError for a reason that has none."""
    sentences = table()[reason]
    return sentences.get(language, sentences["en"]).format(**values)
