"""What of a record may be seen: personal values by their shape alone, and no identity number anywhere, until it is revealed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from include.engine.privacy.mask import mask, shape
from include.engine.quarantine.writing import Writing
from include.records.model import LONGEST, Part

_MAY_NAME = re.compile(r"\d(?:\D?\d){7}")  # eight digits with at most a sign between them: less is nobody's number


@dataclass(frozen=True)
class Masks:
    """How the values of one record are shown. `reveal`: as they are."""

    writing: Writing
    reveal: bool = False

    def part(self, name: str, value: str, code: str = "", *, number: bool = False) -> Part:
        """A value that the partner calls `name`. `number`: it is a code (a barcode, a control number), which only a sign makes a person's."""
        if self.reveal or not value:
            return Part(clipped(value), code)
        if self.writing.hides(name):
            return Part(shape(value), code, masked=True)
        shown = free_of_numbers(clipped(value), signed=number)
        return Part(shown, code, masked=shown != clipped(value))

    def text(self, value: str) -> Part:
        """A stretch of the record of which nobody knows what it holds."""
        if self.reveal or self.writing.anyone:
            return self.part("", value)
        return Part(shape(value), masked=True)

    @property
    def open(self) -> bool:
        """Whether everything may be seen but for identity numbers."""
        return self.reveal or self.writing.anyone


def clipped(value: str) -> str:
    """The value, at most as long as a page shows."""
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}… (+{len(value) - LONGEST:,})"


def free_of_numbers(text: str, *, signed: bool = False) -> str:
    """The text with identity numbers dotted out."""
    return mask(text, signed=signed) if _MAY_NAME.search(text) else text
