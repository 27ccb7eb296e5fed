"""A repository over a real socket: a plain one that keeps to the standard, and a place where a test puts what goes wrong.

with served(Repository(records)) as repository:
    repository.fault = lambda request, answer: ...     # gets each request, and the function that gives the right answer
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape, quoteattr

NAMESPACE = "http://www.openarchives.org/OAI/2.0/"
MARC = "http://www.loc.gov/MARC21/slim"
DAY = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class Kept:
    """A record that the repository holds; `body` is its metadata."""

    identifier: str
    datestamp: datetime
    body: str
    sets: tuple[str, ...] = ()
    deleted: bool = False


def marc(number: str, title: str = "Huset ved havet") -> str:
    return (
        f'<record xmlns="{MARC}"><leader>00000nam a2200000 a 4500</leader><controlfield tag="001">{number}</controlfield>'
        f'<controlfield tag="003">SE-Test</controlfield><controlfield tag="008">200101s2019    sw            000 0 swe d</controlfield>'
        f'<datafield tag="245" ind1="1" ind2="0"><subfield code="a">{escape(title)} {number}</subfield></datafield></record>'
    )


def made(count: int, *, step: timedelta = timedelta(minutes=1), sets: tuple[str, ...] = ()) -> list[Kept]:
    """Records one minute apart, titles with letters beyond ASCII."""
    return [Kept(f"oai:test.example:{n:05d}", DAY + n * step, marc(f"{n:05d}", "Åskan & ön"), sets) for n in range(count)]


@dataclass(frozen=True)
class Request:
    """What was asked, and the how-manieth request it is (from 1)."""

    params: dict[str, str]
    headers: dict[str, str]
    number: int
    query: str

    @property
    def verb(self) -> str:
        return self.params.get("verb", "")

    @property
    def token(self) -> str | None:
        return self.params.get("resumptionToken")


@dataclass
class Response:
    """`cut` closes the connection after so many bytes of the body; `delay` waits before the first."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/xml; charset=utf-8"})
    cut: int | None = None
    delay: float = 0.0

    @property
    def text(self) -> str:
        return self.body.decode()


Fault = Callable[[Request, Callable[[], Response]], Response | None]


class Repository:
    """Holds `records`, in the order in which it lists them."""

    def __init__(self, records: list[Kept], *, page: int = 10, granularity: str = "second", deletes: str = "persistent") -> None:
        self.records, self.page, self.granularity, self.deletes = records, page, granularity, deletes
        self.fault: Fault = lambda request, answer: None
        self.requests: list[Request] = []
        self.size: int | None = -1  # announced: -1 is the truth, None nothing
        self.now = lambda: datetime.now(UTC)
        self.url = ""
        self._lock = threading.Lock()

    @property
    def alive(self) -> dict[str, Kept]:
        return {one.identifier: one for one in self.records if not one.deleted}

    def put(self, one: Kept) -> None:
        """In place of what had its identifier, or at the end."""
        self.records = [kept for kept in self.records if kept.identifier != one.identifier] + [one]

    def answer(self, request: Request) -> Response:
        right = lambda: Response(self._document(request.params).encode())  # noqa: E731
        return self.fault(request, right) or right()

    def stamp(self, at: datetime) -> str:
        return f"{at:%Y-%m-%d}" if self.granularity == "day" else f"{at:%Y-%m-%dT%H:%M:%SZ}"

    def token(self, cursor: int, params: dict[str, str]) -> str:
        """With signs that have a meaning in a query."""
        kept = {name: params[name] for name in ("metadataPrefix", "set", "from", "until", "n") if name in params}
        return "t&=+ %/" + base64.b64encode(json.dumps({"cursor": cursor, **kept}).encode()).decode()

    def selected(self, params: dict[str, str]) -> list[Kept]:
        begin, until, of = params.get("from", ""), params.get("until", "9999"), params.get("set")
        return [
            one
            for one in self.records
            if (not begin or self.stamp(one.datestamp) >= begin)
            and self.stamp(one.datestamp) <= (until + "~")
            and (of is None or of in one.sets)
        ]

    def document(self, verb: str, inside: str) -> str:
        at = f"{self.now():%Y-%m-%dT%H:%M:%SZ}"
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="{NAMESPACE}"><responseDate>{at}</responseDate>'
            f"<request verb={quoteattr(verb)}>{escape(self.url)}</request>{inside}</OAI-PMH>\n"
        )

    def error(self, code: str, words: str = "no") -> str:
        return self.document("", f"<error code={quoteattr(code)}>{words}</error>")

    def header(self, one: Kept) -> str:
        status = ' status="deleted"' if one.deleted else ""
        sets = "".join(f"<setSpec>{escape(name)}</setSpec>" for name in one.sets)
        stamp = self.stamp(one.datestamp)
        return f"<header{status}><identifier>{escape(one.identifier)}</identifier><datestamp>{stamp}</datestamp>{sets}</header>"

    def record(self, one: Kept) -> str:
        body = "" if one.deleted else f"<metadata>{one.body}</metadata>"
        return f"<record>{self.header(one)}{body}</record>"

    def _document(self, params: dict[str, str]) -> str:
        verb = params.get("verb", "")
        if verb == "Identify":
            grain = "YYYY-MM-DD" if self.granularity == "day" else "YYYY-MM-DDThh:mm:ssZ"
            earliest = self.stamp(min((one.datestamp for one in self.records), default=DAY))
            return self.document(
                verb,
                f"<Identify><repositoryName>Test</repositoryName><baseURL>{self.url}</baseURL><protocolVersion>2.0</protocolVersion>"
                f"<adminEmail>a@test.example</adminEmail><earliestDatestamp>{earliest}</earliestDatestamp>"
                f"<deletedRecord>{self.deletes}</deletedRecord><granularity>{grain}</granularity></Identify>",
            )
        if verb == "GetRecord":
            found = next((one for one in self.records if one.identifier == params.get("identifier")), None)
            return self.error("idDoesNotExist") if found is None else self.document(verb, f"<GetRecord>{self.record(found)}</GetRecord>")
        if verb in {"ListRecords", "ListIdentifiers"}:
            return self._list(verb, params)
        return self.error("badVerb")

    def _list(self, verb: str, params: dict[str, str]) -> str:
        cursor = 0
        if token := params.get("resumptionToken"):
            try:
                params = {**json.loads(base64.b64decode(token.removeprefix("t&=+ %/"), validate=True)), "verb": verb}
                cursor = int(params.pop("cursor"))
            except ValueError:
                return self.error("badResumptionToken")
        found = self.selected(params)
        if not found:
            return self.error("noRecordsMatch")
        part = found[cursor : cursor + self.page]
        size = "" if self.size is None else f' completeListSize="{len(found) if self.size == -1 else self.size}"'
        more = cursor + self.page < len(found)
        token_text = escape(self.token(cursor + self.page, params)) if more else ""
        token = f'<resumptionToken{size} cursor="{cursor}">{token_text}</resumptionToken>' if more or cursor else ""
        shown = "".join(map(self.record if verb == "ListRecords" else self.header, part))
        return self.document(verb, f"<{verb}>{shown}{token}</{verb}>")

    def number(self, params: dict[str, str], headers: dict[str, str], query: str) -> Request:
        with self._lock:
            self.requests.append(Request(params, headers, len(self.requests) + 1, query))
            return self.requests[-1]


@contextmanager
def served(repository: Repository, context: object = None) -> Iterator[Repository]:
    """On a free port; `context` is an ssl.SSLContext for https."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A harvester that is killed breaks its connection off."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._reply(urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._reply(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def _reply(self, query: str) -> None:
            params = dict(parse_qsl(query, keep_blank_values=True))
            found = repository.answer(repository.number(params, dict(self.headers), query))
            if found.delay:
                threading.Event().wait(found.delay)
            self.send_response(found.status)
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.body)))
            self.end_headers()
            self.wfile.write(found.body if found.cut is None else found.body[: found.cut])
            if found.cut is not None:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)  # type: ignore[attr-defined]
    repository.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}/oai"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield repository
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
