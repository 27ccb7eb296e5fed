"""A terminal's profile: how a make or a site of machines speaks SIP2, and what it is told. Data, not code: profiles/*.yaml, here and in the
sidecar's folder, where a site's own are.

The settings are those that Koha's SIP accounts and Evergreen's have gathered over the years, under names of our own.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from string import Formatter
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from connectors.circulation.sip2.table import FIELDS, MESSAGES
from include.engine import yamls
from include.engine.errors import SettingsError

FOLDER = Path(__file__).parent / "profiles"

LONGEST_PATTERN = 200
_WIDE = re.compile(r"[0-9]{4}")
_REPEATED_REPEAT = re.compile(r"[+*}]\)+[+*{]")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no IANA time zone, such as Europe/Copenhagen") from None
    return name


Zone = Annotated[str, AfterValidator(_zone)]


def _codec(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise ValueError(f"{name!r} is no encoding; such as utf-8, latin-1, cp850") from None
    return name


Encoding = Annotated[str, AfterValidator(_codec)]


def _pattern(text: str) -> str:
    if len(text) > LONGEST_PATTERN:
        raise ValueError(f"a pattern has at most {LONGEST_PATTERN} characters")
    if _REPEATED_REPEAT.search(text):
        raise ValueError("a repetition of a repetition may take for ever; write it as one, such as [a-z ]+")
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"it is no regular expression: {error}; \\ before a character takes its meaning away") from None
    return text


def _rewriting(pair: tuple[str, str]) -> tuple[str, str]:
    pattern, replacement = pair
    try:
        re.sub(pattern, replacement, "")
    except (re.error, IndexError) as error:
        raise ValueError(f"what stands in its place cannot be used: {error}; \\1 is what the first pair of parentheses found") from None
    return pair


def _template(**sample: object) -> AfterValidator:
    """A template of the names in `sample`, and of nothing else: one that cannot be filled is no matter for a patron who waits."""

    def checked(text: str) -> str:
        known = ", ".join(f"{{{name}}}" for name in sample)
        try:
            parts = [(name, spec or "") for _, name, spec, _ in Formatter().parse(text) if name is not None]
            if any(name not in sample or "{" in spec or _WIDE.search(spec) for name, spec in parts):
                raise ValueError(f"there are {known}")
            text.format(**sample)
        except (ValueError, IndexError, KeyError) as error:
            raise ValueError(f"the template cannot be filled: {error}; it holds text and {known}") from None
        return text

    return AfterValidator(checked)


def _code(text: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9]", text):
        raise ValueError(f"{text!r} is no field code: two characters, such as CR")
    return text


Code = Annotated[str, AfterValidator(_code)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Named = Annotated[str, _template(name="", category="", home_library="")]
Owed = Annotated[str, _template(title="", amount=Decimal(1), currency="", kind="", fee="")]
Rewriting = Annotated[tuple[Pattern, str], AfterValidator(_rewriting)]


STRICT = ConfigDict(extra="forbid")


class Shape(BaseModel):
    """A name that is not in the schema is a mistake to be told of."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# A profile's parts are looked at some forty times a message. In a dataclass that costs a third of what it does in a model.


@dataclass(frozen=True, slots=True, config=STRICT)
class Framing:
    """How lines are sent. `error_detection: asked` answers with a checksum when the machine sent one."""

    terminator: Literal["cr", "crlf", "lf"] = "cr"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = "|"
    encoding: Encoding = "utf-8"
    error_detection: Literal["asked", "always", "never"] = "asked"


@dataclass(frozen=True, slots=True, config=STRICT)
class Output:
    """What stands in answers. Templates are filled with the names of the domain: `{name}`, `{title}`, `{amount}`."""

    hidden: frozenset[Code] = Field(default=frozenset(), description="fields that are never sent")
    allowed: frozenset[Code] | None = Field(default=None, description="the only fields that are sent beside the required ones")
    name: Named = Field(default="{name}", description="AE, the patron's name")
    fee_line: Owed = Field(default="{title} {amount} {currency}", description="AV, one for each fee")
    hold_name: Named = Field(default="{name}", description="DA, whom a returned item waits for")
    hold_phone: bool = Field(default=False, description="whether BF tells the phone number of whom a returned item waits for")
    custom: dict[Code, Named] = Field(
        default_factory=dict, description="fields of the site's own about a patron, such as {XC: '{category}'}"
    )
    collection: Literal["material", "location", "owner", "none"] = Field(default="material", description="what CR tells of an item")
    birth_date: bool = Field(default=False, description="whether PB tells the patron's birth date")
    due_format: str | None = Field(default=None, description="strftime for AH; the date of SIP2 itself where nothing is said")
    rewrite: tuple[Rewriting, ...] = Field(default=(), description="screen messages: pattern and what stands in its place")
    print_lines: bool = Field(default=False, description="whether AG repeats the screen message for the printer")


@dataclass(frozen=True, slots=True, config=STRICT)
class SortBin:
    """The first line that fits says the bin. Globs on where the item goes next, its material and its location."""

    bin: str
    route: str = "*"
    material: str = "*"
    location: str = "*"


@dataclass(frozen=True, slots=True, config=STRICT)
class Alerts:
    """What a returned item sets off."""

    destination_always: bool = Field(default=False, description="CT is sent for items that stay, too")
    type_on_success: bool = Field(default=False, description="CV is sent as 00 when there is nothing to be alarmed of")
    alert_with_type: bool = Field(default=True, description="the alert flag is Y whenever CV is sent with another value than 00")


@dataclass(frozen=True, slots=True, config=STRICT)
class Policy:
    """What is allowed at these machines."""

    messages: frozenset[str] = Field(default=frozenset(MESSAGES) - {"01"}, description="requests that are taken")
    returned_is_ok: bool = Field(default=True, description="the return of an item that was not on loan is answered ok")
    pin: Literal["given", "always", "never"] = Field(
        default="given", description="given: a PIN is checked when one is sent; always: none is refused"
    )
    card_alone: bool = Field(default=True, description="a PIN that cannot be checked, for none is kept of the patron, is let pass")
    home_library_in_message: bool = False
    overdue_blocks: bool = Field(default=False, description="whoever has something overdue may not borrow at these machines")
    held_is_not_returned: bool = Field(default=False, description="an item that others wait for is not taken back here")
    undo: bool = Field(default=True, description="BI, cancel, is obeyed")
    write_off_types: frozenset[str] = frozenset()
    overpayment: bool = True
    offline: bool = Field(default=True, description="98 says that the machine may go on alone, and send what it did afterwards")


class Profile(Shape):
    """How a kind of machine is spoken to. `source` says what public description it rests on."""

    title: str = "Standard"
    source: str = "SIP2 2.00"
    framing: Framing = Framing()
    output: Output = Output()
    sort_bins: tuple[SortBin, ...] = ()
    alerts: Alerts = Alerts()
    policy: Policy = Policy()
    timeout: Annotated[int, Field(ge=0, le=999)] = Field(30, description="98: tenths of a second before a machine asks again")
    retries: Annotated[int, Field(ge=0, le=999)] = 3

    @model_validator(mode="after")
    def _fits_the_protocol(self) -> Self:
        if unknown := self.policy.messages - MESSAGES.keys():
            raise ValueError(f"no messages of SIP2: {', '.join(sorted(unknown))}")
        if clash := self.output.custom.keys() & {code for code, field in FIELDS.items() if not field.extension}:
            raise ValueError(f"fields of the protocol cannot be a site's own: {', '.join(sorted(clash))}")
        return self


def load(name: str, own: Path | None = None) -> Profile:
    """The profile `name`: a site's own, of the folder `own`, or one that comes with us. SettingsError names the file and what is allowed."""
    folders = [folder for folder in (own, FOLDER) if folder is not None]
    path = next((folder / f"{name}.yaml" for folder in folders if (folder / f"{name}.yaml").is_file()), None)
    if path is None:
        there = ", ".join(sorted({file.stem for folder in folders for file in folder.glob("*.yaml")}))
        raise SettingsError(f"there is no profile {name!r}; there are {there}", where=str(folders[0]), do="Use one of them, or write it.")
    return yamls.settings(Profile, path, "the profile")
