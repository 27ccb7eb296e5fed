"""Why a record is set aside."""

from __future__ import annotations


class Unreadable(Exception):
    """This record cannot be read without losing something: a reason code of include/engine/reasons/marc.yaml, and what was found."""

    def __init__(self, reason: str, detail: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail
