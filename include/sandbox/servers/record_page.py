"""A record's page, plainly: what a person at the library sees of it, with the button that opens the borrower in the library system."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_SYSTEM = {"Id", "CreatedDate", "LastModifiedDate", "SystemModstamp", "LastModifiedById", "@odata.etag"}
_STYLE = """
body { font: 15px/1.45 sans-serif; margin: 0; background: #f3f3f3; color: #222 }
header { background: #fff; border-bottom: 1px solid #ccc; padding: 14px 28px; display: flex; align-items: center; gap: 20px }
header small { color: #666; display: block } h1 { font-size: 21px; margin: 0 }
a.open { margin-left: auto; background: #0b5cab; color: #fff; padding: 9px 16px; border-radius: 4px; text-decoration: none }
main { background: #fff; margin: 20px 28px; padding: 16px 24px; border: 1px solid #ddd; border-radius: 4px }
dl { display: grid; grid-template-columns: 220px 1fr; gap: 7px 20px; margin: 0 } dt { color: #666 } dd { margin: 0 }
footer { color: #777; margin: 0 28px; font-size: 13px }
"""


def page(kind: str, record: Mapping[str, Any], link: str = "Library_Record__c", label: str = "Open Borrower in V-smart") -> str:
    """HTML of one record; `link` is the field with the deep link."""
    name = record.get("Name") or " ".join(filter(None, (record.get("FirstName"), record.get("LastName"))))
    name = name or record.get("name") or " ".join(filter(None, (record.get("firstname"), record.get("lastname")))) or "(no name)"
    href = str(record.get(link) or "")
    button = f'<a class="open" href="{escape(href)}">{escape(label)}</a>' if href else ""
    rows = "".join(
        f"<dt>{escape(column)}</dt><dd>{escape(str(value))}</dd>"
        for column, value in record.items()
        if value not in (None, "") and column not in _SYSTEM
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(kind)}</title><style>{_STYLE}</style>'
        f"<header><div><small>{escape(kind)}</small><h1>{escape(str(name))}</h1></div>{button}</header>"
        f"<main><dl>{rows}</dl></main><footer>Stand-in of the sandbox. Deep link: {escape(href)}</footer></html>"
    )
