"""The pages of the documentation, and the blocks of code in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
_NAMED = re.compile(r"# ([\w./-]+\.\w+)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the file that its first line names ("# data_contracts/visit.odcs.yaml"), if it does."""

    page: str
    language: str
    text: str
    file: str | None

    def __str__(self) -> str:
        return f"{self.page}, {self.file or self.text.partition(chr(10))[0][:60]}"


def blocks(page: Path, language: str | None = None) -> Iterator[Block]:
    """The fenced blocks of a page, those in one language if it is given."""
    for found, text in _FENCE.findall(page.read_text(encoding="utf-8")):
        if language in {None, found}:
            named = _NAMED.match(text)
            yield Block(str(page.relative_to(ROOT)), found, text, named[1] if named else None)


def every(language: str) -> list[Block]:
    """The blocks in one language, over all pages."""
    return [block for page in PAGES for block in blocks(page, language)]


def prose(page: Path) -> str:
    """A page's text without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))
