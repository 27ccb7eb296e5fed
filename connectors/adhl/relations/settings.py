"""What can be set about the relations. All of it comes from the environment, because the relations are of all libraries together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from include.engine.errors import SettingsError

LEAST = 5
"""No threshold is below it: relations registered fewer than five times are not shown (DBC's service pages, 2015)."""


@dataclass(frozen=True)
class Settings:
    """How many patrons make a relation, and what bounds the work.

    threshold: a relation of fewer distinct patrons is never shown, nor a title. spread: the edge of each relation is raised by a secret 0 to
    spread - 1, so that what appears does not tell the count (docs/decisions/adhl-relations-release.md); 1 raises none, and gives that up.
    most_titles: of a patron with more titles only the newest so many count. institution_titles: one with more than so many is no person
    and does not count at all. edition: a new name begins anew, and forgets what was released before. related: kept ready for each title.
    """

    threshold: int = LEAST
    spread: int = LEAST
    most_titles: int = 200
    institution_titles: int = 5000
    related: int = 100
    edition: str = "1"
    keep: int = 4
    keep_days: int = 90
    memory: str = "2500MB"
    threads: int = 2
    lock_wait_s: float = 900.0

    def __post_init__(self) -> None:
        wrong = [name for name, least in _LEAST.items() if getattr(self, name) < least]
        if wrong:
            raise SettingsError(
                " and ".join(f"BINDERY_ADHL_{name.upper()} must be a whole number from {_LEAST[name]}" for name in wrong) + ".",
                where="environment",
                do="Mend it, or leave it out.",
            )

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Self:
        """Each setting from `BINDERY_ADHL_<NAME>` where that is set. SettingsError names what is no number, or too small."""
        told = {name: environment.get(f"BINDERY_ADHL_{name.upper()}", "") for name in (*_LEAST, "edition", "memory")}
        wrong = [f"BINDERY_ADHL_{name.upper()}" for name in _LEAST if told[name] and not told[name].isdecimal()]
        if wrong:
            raise SettingsError(f"{' and '.join(wrong)} must be a whole number.", where="environment", do="Mend it, or leave it out.")
        numbers = {name: int(told[name]) for name in _LEAST if told[name]}
        texts = {name: told[name] for name in ("edition", "memory") if told[name]}
        return cls(**numbers, **texts)  # type: ignore[arg-type]  # whole numbers and texts, each by its own name


_LEAST = {
    "threshold": LEAST,
    "spread": 1,
    "most_titles": 2,
    "institution_titles": 2,
    "related": 1,
    "keep": 1,
    "keep_days": 1,
    "threads": 1,
}
