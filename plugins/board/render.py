"""Templates to pages. Whatever a value holds, it is shown as text: escaped, without control characters, and cut where it is endless."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup

from plugins.board import csrf, formats, names
from plugins.board.house import all_partners, board_of
from plugins.board.say import COOKIE, NAMES, language_of, say
from plugins.board.viewer import Viewer

HERE = Path(__file__).parent
LONGEST = 2_000
"""Characters of one value that a page shows; what needs more says so with the filter `whole`."""
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_YEAR = 365 * 86400


class Whole(str):
    """Text that is shown however long it is."""

    __slots__ = ()


def show(request: Request, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The page of `templates/<name>`. It knows `viewer`, `language`, `say(key, ...)`, `url(path, **query)`, `airflow(path)`, `csrf` (the field that
    every form has), `zone(partner)`, and `partner_name`, `flow_name`, `table_name`, `reason_words`,
    `why`, beside `values` and the filters of `_environment`."""
    language = language_of(request)
    viewer = getattr(request.state, "viewer", None)
    context = {
        "language": language,
        "languages": NAMES,
        "viewer": viewer,
        "say": partial(say, language),
        "url": partial(url, request),
        "airflow": partial(airflow, request),
        "here": _here(request),
        "switch": partial(_switch, request),
        "nav": _nav(request, viewer) if isinstance(viewer, Viewer) else (),
        "csrf": _field(request, viewer) if isinstance(viewer, Viewer) else "",
        "zone": partial(zone, request),
        "asset": partial(_asset, request),
        "moment": lambda at, zone="UTC": formats.moment(at, language, zone),
        "partner_name": partial(names.partner, request),
        "flow_name": partial(names.flow, language),
        "table_name": partial(names.table, language),
        "reason_words": partial(names.reason, language),
        "why": partial(names.why, language),
        "advice": partial(names.advice, language),
        "step_name": partial(names.step, language),
        "rule_words": partial(names.rule, request),
        "from_ns": lambda ns: datetime.fromtimestamp(ns / 1e9, UTC),
        **values,
    }
    answer = HTMLResponse(_environment().get_template(name).render(context), status)
    if request.query_params.get("lang") == language:
        root = request.scope.get("root_path", "") or "/"
        answer.set_cookie(COOKIE, language, max_age=_YEAR, path=root, samesite="lax", httponly=True, secure=request.url.scheme == "https")
    return answer


def url(request: Request, path: str, **query: Any) -> str:
    """An address of the board: `url("/deliveries/" + id)`, `url("/deliveries", partner=...)`; what is None or empty is left out."""
    asked = urlencode({name: value for name, value in query.items() if value not in (None, "")})
    return str(request.scope.get("root_path", "")) + quote(path, safe="/-_.~") + (f"?{asked}" if asked else "")


def airflow(request: Request, path: str) -> str:
    """An address of the Airflow that the board is part of."""
    return str(request.scope.get("root_path", "")).removesuffix("/bindery") + quote(path, safe="/-_.~")


def zone(request: Request, partner: str) -> str:
    """The partner's time zone; UTC where its YAML cannot be read."""
    found = all_partners(request).partners.get(partner)
    return found.timezone if found else "UTC"


def _here(request: Request) -> str:
    return str(request.scope["path"]).removeprefix(request.scope.get("root_path", "")) or "/"


def _switch(request: Request, language: str) -> str:
    """This page in another language."""
    asked = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return f"?{urlencode([*asked, ('lang', language)])}"


def _nav(request: Request, viewer: Viewer) -> Sequence[tuple[str, str, bool]]:
    """The address, the key of the words, and whether it is this page's, of each page that the viewer may open."""
    here = _here(request)
    return [
        (path, words, here == path if path == "/" else here.startswith(path))
        for path, words, engineers in request.app.state.nav
        if viewer.engineer or not engineers
    ]


def _field(request: Request, viewer: Viewer) -> Markup:
    """The hidden field that every form has."""
    token = csrf.token(board_of(request).secret, viewer.name)
    return Markup('<input type="hidden" name="{}" value="{}">').format(csrf.FIELD, token)


@cache
def _version(name: str) -> str:
    return hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12]


def _asset(request: Request, name: str) -> str:
    """The address of a file of static/; it changes when the file does."""
    return url(request, f"/static/{name}", v=_version(name))


def plain(value: object) -> object:
    """Text without characters that hide or turn it, and not without end. What is no text stays as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    shown = _HIDDEN.sub(_spelled, value if isinstance(value, Whole) else value[: LONGEST + 1])
    return shown if isinstance(value, Whole) or len(value) <= LONGEST else f"{shown[:LONGEST]}… (+{len(value) - LONGEST:,})"


def _spelled(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=plain,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.do"],
    )
    for name in ("count", "size", "age", "lasting", "percent"):
        environment.filters[name] = _in_language(getattr(formats, name))
    environment.filters |= {"when": _when, "day": _day, "whole": Whole}
    return environment


def _in_language(write: Callable[[Any, str], str]) -> Callable[..., str]:
    @jinja2.pass_context
    def filter(context: jinja2.runtime.Context, value: Any) -> str:
        return "" if value is None else write(value, context["language"])

    return filter


@jinja2.pass_context
def _when(context: jinja2.runtime.Context, at: datetime | None, zone: str = "UTC", *, ago: bool = False, seconds: bool = False) -> str:
    """A `<time>` on the clock of `zone`; `ago` says how long ago it was, and both say the exact moment to who asks."""
    if at is None:
        return ""
    language = context["language"]
    said = formats.age(at, language) if ago else formats.moment(at, language, zone, seconds=seconds)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), formats.exact(at, zone), said)


@jinja2.pass_context
def _day(context: jinja2.runtime.Context, at: datetime, zone: str = "UTC") -> str:
    return formats.day(at, context["language"], zone)
