"""An ILS profile: how one library system writes its exports, as data.

A profile is one YAML file in `include/profiles/`. It says for each table in which format the files come, what their columns are called, how
dates, numbers and yes/no are written, and in which clock. What a vendor has not published carries `assumption:` and says in words what is
assumed; a library that differs overrides single settings in its own partner file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from include.engine import yamls
from include.engine.errors import SettingsError

PROFILES = Path(__file__).parents[2] / "include" / "profiles"

Format = Literal["csv", "tsv", "jsonl", "marc", "unimarc", "danmarc2", "marcxml"]
RecordFormat = Literal["marc21", "unimarc", "danmarc2"]
Kind = Literal["home", "in_library", "interlibrary", "institution", "e_loan"]
# Line ends, delimiters and quotes are looked for as bytes, so every character set here keeps ASCII as it is.
Charset = Literal["utf-8", "iso-8859-1", "iso-8859-15", "windows-1252", "windows-1251", "cp850", "cp865", "leader"]


class Settings(BaseModel):
    """Unknown keys are errors: a misspelt setting must not be silently without effect."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Column(Settings):
    """Where one of our columns comes from.

    `from` is their column (JSON lines: a dotted path; MARC: a subfield, `$p`); with `join`, several that are put together.
    `values` maps their values to ours (null: says nothing, the next alternative is asked); `other` is what a value not named there means
    (`keep`: itself); without it such a value is unreadable. `split` cuts a text into a list. `always` is a constant.
    `dates` overrides the table's layouts. `assumption` says in words what is not published.
    """

    source: tuple[str, ...] = Field(default=(), alias="from")
    join: str | None = None
    split: str | None = None
    values: dict[str, str | None] | None = None
    other: str | None = None
    always: str | None = None
    dates: tuple[str, ...] | None = None
    assumption: str | None = None

    @field_validator("source", mode="before")
    @classmethod
    def _one_is_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_a_source(self) -> Column:
        if bool(self.source) == (self.always is not None):
            raise ValueError("a column needs `from` or `always`, and not both")
        if len(self.source) > 1 and self.join is None:
            raise ValueError("several columns under `from` need `join`; alternatives are a list of entries")
        return self


Columns = dict[str, tuple[Column, ...]]


def _alternatives(value: Any) -> Any:
    """`x`, `{from: x}` and a list of these all mean: a list of alternatives, the first that says something wins."""
    entries = value if isinstance(value, list | tuple) else [value]
    return tuple({"from": entry} if isinstance(entry, str) else entry for entry in entries)


class Identifiers(Settings):
    """Pairs of columns, one naming the kind of a number and one holding it (Brocade: bc1ty/bc1val, bc2ty/bc2val)."""

    pairs: tuple[tuple[str, str], ...]
    kinds: dict[str, str]  # their kind -> one of our columns; a list column takes several


class Embedded(Settings):
    """Items or holdings carried inside a bibliographic MARC record: one field each. `columns` name subfields (`$p`)."""

    field: str = Field(pattern=r"^[0-9A-Za-z]{3}$")
    indicators: str | None = Field(default=None, min_length=2, max_length=2)
    columns: Columns
    assumption: str | None = None

    _shape = field_validator("columns", mode="before")(lambda columns: {ours: _alternatives(theirs) for ours, theirs in columns.items()})


class TableProfile(Settings):
    """How one table's files are written. Layouts of dates and times use YYYY, YY, MM, DD, hh, mm, ss, or are `iso8601`."""

    format: Format
    record_format: RecordFormat = "marc21"  # for marcxml only; the ISO 2709 formats say it themselves
    charset: Charset = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    nulls: tuple[str, ...] = ("",)
    dates: tuple[str, ...] = ("YYYY-MM-DD",)
    times: tuple[str, ...] = ("YYYY-MM-DD hh:mm:ss",)
    clock: Literal["local", "utc"] = "local"
    zero_dates: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    true_values: tuple[str, ...] = ("1", "true")
    false_values: tuple[str, ...] = ("0", "false")
    columns: Columns = {}
    ignored: tuple[str, ...] = ()  # theirs, known and not read; any other unknown column is a new one, and said
    optional: tuple[str, ...] = ()  # ours, that many libraries leave out: their absence is not worth a word
    identifiers: Identifiers | None = None
    binding: str | None = None  # MARC: the mapping in include/marc/bindings/, if not the record format's own
    items: Embedded | None = None
    holdings: Embedded | None = None
    assumption: str | None = None

    _shape = field_validator("columns", mode="before")(lambda columns: {ours: _alternatives(theirs) for ours, theirs in columns.items()})

    @property
    def is_marc(self) -> bool:
        return self.format in ("marc", "unimarc", "danmarc2", "marcxml")

    @property
    def marc(self) -> RecordFormat:
        """Which MARC it is."""
        return "marc21" if self.format == "marc" else self.format if self.format in ("unimarc", "danmarc2") else self.record_format

    @model_validator(mode="after")
    def _format_and_settings_agree(self) -> TableProfile:
        if self.format in ("csv", "tsv", "jsonl") and not self.columns:
            raise ValueError(f"format {self.format} needs `columns`")
        if self.charset == "leader" and not self.is_marc:
            raise ValueError("charset `leader` is for MARC: the record's own leader says it")
        return self


class Profile(Settings):
    """A whole library system. `assumption` at this level covers everything that has none of its own."""

    name: str
    title: str
    about: str
    sources: tuple[str, ...] = ()
    assumption: str | None = None
    # Values of patron_id or card_number that stand for nobody: read as null.
    anonymous_patrons: tuple[str, ...] = ()
    # Branches that are no place: what is lent there has this kind, unless the row itself says a kind.
    virtual_branches: dict[str, Kind] = {}
    # Their name or id of a branch -> the code that the library itself uses (FOLIO's ids are UUIDs).
    branches: dict[str, str] = {}
    tables: dict[str, TableProfile]

    def table(self, name: str) -> TableProfile:
        """The settings for one table; SettingsError naming those that there are."""
        if name not in self.tables:
            known = ", ".join(self.tables)
            raise SettingsError(f"profile {self.name} has no table {name}", where=f"{self.name}.yaml", do=f"It has {known}.")
        return self.tables[name]


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the settings of `over` laid on it: mappings merge key by key, anything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def build(settings: Mapping[str, Any], where: str) -> Profile:
    """A profile from parsed YAML; `defaults` are laid under each table. SettingsError lists every setting that is wrong, with its path."""
    settings = dict(settings)
    defaults = settings.pop("defaults", {})
    settings["tables"] = {name: merged(defaults, table) for name, table in settings.get("tables", {}).items()}
    try:
        return Profile.model_validate(settings)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise SettingsError(f"the profile cannot be used: {faults}", where=where, do="Mend the settings that are named.") from error


def load(name: str, overrides: Mapping[str, Any] | None = None, *, folder: Path = PROFILES) -> Profile:
    """The profile `name`, with a partner's own `overrides` (the same shape as the file) laid on it.

    Raises SettingsError for a profile that does not exist, is no YAML, or has a setting that cannot be used.
    """
    file = folder / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
        raise SettingsError(f"there is no profile {name}", where=str(file.name), do=f"Choose one of: {known}.")
    try:
        settings = _parsed(file, file.stat().st_mtime_ns)
    except yamls.NotYaml as error:
        raise SettingsError(f"the profile is no readable YAML: {error}", where=file.name) from error
    return build(merged(settings, overrides or {}), file.name)


@lru_cache(maxsize=64)
def _parsed(file: Path, _changed: int) -> Any:
    """The file's YAML, read anew only when it has changed: hundreds of partners share a profile, and dispatch reads them all every minute."""
    return yamls.load(file.read_text(encoding="utf-8"))


def assumptions(profile: Profile) -> list[tuple[str, str]]:
    """(where, words) for everything in the profile that its vendor has not published."""
    found = [(profile.name, profile.assumption)] if profile.assumption else []
    for name, table in profile.tables.items():
        if table.assumption:
            found.append((name, table.assumption))
        groups = [(name, table.columns)]
        for part, embedded in (("items", table.items), ("holdings", table.holdings)):
            if embedded:
                groups.append((f"{name}.{part}", embedded.columns))
                if embedded.assumption:
                    found.append((f"{name}.{part}", embedded.assumption))
        for where, columns in groups:
            for ours, alternatives in columns.items():
                found += [(f"{where}.{ours}", column.assumption) for column in alternatives if column.assumption]
    return found
