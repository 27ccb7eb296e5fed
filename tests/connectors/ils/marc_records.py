"""Small MARC records for the tests, written byte by byte, so that each can be damaged in its own way."""

from __future__ import annotations

from connectors.ils.profile import Profile, build

TITLE = "Æbler og pærer"


def iso(
    number: str, *, title: bytes = TITLE.encode(), coding: str = "a", extra: list[tuple[str, bytes]] | None = None, kind: str = "am"
) -> bytes:
    """One ISO 2709 record: 001, 245 and `extra`. `coding` is leader/09. Numbers that do not fit wrap around."""
    fields = [("001", number.encode()), ("008", b"260101s2026    dk            000 0 dan  "), ("245", b"10\x1fa" + title + b" /\x1fcA. B.")]
    directory, data = b"", b""
    for tag, value in fields + (extra or []):
        value += b"\x1e"
        directory += f"{tag}{len(value):04}{len(data) % 100_000:05}".encode()
        data += value
    base = 24 + len(directory) + 1
    length = base + len(data) + 1
    return f"{length % 100_000:05}n{kind} {coding}22{base:05} a 4500".encode() + directory + b"\x1e" + data + b"\x1d"


def item(number: str, branch: str = "MAIN") -> tuple[str, bytes]:
    """A Koha 952."""
    return "952", f"  \x1f9{number}\x1fp00{number}\x1fa{branch}\x1fyBK\x1f00\x1fl7".encode()


def xml(
    *records: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>\n', root: str = 'collection xmlns="http://www.loc.gov/MARC21/slim"'
) -> bytes:
    """A MARCXML file."""
    return f"{head}<{root}>\n{''.join(record + chr(10) for record in records)}</{root.split()[0]}>\n".encode()


def record(number: str, title: str = TITLE) -> str:
    """One MARCXML record."""
    return (
        f'<record><leader>00000nam a2200000 a 4500</leader><controlfield tag="001">{number}</controlfield>'
        f'<datafield tag="245" ind1="1" ind2="0"><subfield code="a">{title} /</subfield></datafield></record>'
    )


def profile(form: str = "marc", charset: str = "leader", **more: object) -> Profile:
    """A profile of bibliographic and authority records."""
    table = {"format": form, "charset": charset, **more}
    return build({"name": "m", "title": "m", "about": "m", "tables": {"bibliographic": table, "authority": table}}, "m")
