"""The board's words in English, Danish, Swedish and Dutch: `words/<page>.yaml`, a key a line, all four languages beside each other.

title: {en: Overview, da: Overblik, sv: Översikt, nl: Overzicht}          # said as "overview.title"
files_one: {...}                                                          # instead of `files` where count is 1
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request

from include.engine import yamls
from include.engine.reasons import LANGUAGES, number

NAMES = {"en": "English", "da": "Dansk", "sv": "Svenska", "nl": "Nederlands"}
COOKIE = "bindery_language"


def say(language: str, key: str, **values: Any) -> str:
    """The words for `key` with its placeholders filled. KeyError for a key that no file has: a test holds all templates against them."""
    if values.get("count") == 1 and f"{key}_one" in table():
        key = f"{key}_one"
    filled = {name: number(value, language) if type(value) is int else str(value) for name, value in values.items()}
    return table()[key][language].format_map(defaultdict(lambda: "?", filled))


@cache
def table() -> dict[str, dict[str, str]]:
    """Every word by `<file>.<key>`, then by language."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted((Path(__file__).parent / "words").glob("*.yaml")):
        for key, entry in (yamls.load(file.read_text(encoding="utf-8")) or {}).items():
            found[f"{file.stem}.{key}"] = {language: str(entry[language]) for language in LANGUAGES}
    return found


def language_of(request: Request) -> str:
    """What the person has chosen (`?lang=`, then kept in a cookie), else the first of their browser's languages that there is."""
    for chosen in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if chosen in LANGUAGES:
            return chosen
    wanted = [part.partition(";") for part in request.headers.get("accept-language", "").split(",")]
    ranked = sorted(((_weight(more), tag.strip().lower()[:2]) for tag, _, more in wanted), key=lambda pair: -pair[0])
    return next((tag for _, tag in ranked if tag in LANGUAGES), "en")


def _weight(parameters: str) -> float:
    try:
        return float(parameters.strip().removeprefix("q="))
    except ValueError:
        return 1.0
