"""What the environment answers over HTTP: the token, single rows, `$batch` with and without change sets, queries with next links."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qs, unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from include.sandbox.servers.dataverse.store import Environment, Refusal, id_of
from include.sandbox.servers.record_page import page

API = "/api/data/v9.2/"
_ROW = re.compile(r"(\w+)\(bindery_id='((?:[^']|'')*)'\)")
_TERM = re.compile(r"(\w+)\s+(eq|ne|ge|gt)\s+('(?:[^']|'')*'|\S+)")


@dataclass
class State:
    """`calls` are those with a token; `most` requests at once; none is answered before `ready` says so;
    `page_rows` rows of a query's page; `retry_after` (s) is what it asks for when it is busy."""

    address: str = ""
    environment: Environment = field(default_factory=Environment)
    tenant: str = "11111111-2222-3333-4444-555555555555"
    client_id: str = "66666666-7777-8888-9999-000000000000"
    client_secret: str = "sandbox-only"
    tokens: set[str] = field(default_factory=set)
    logins: int = 0
    calls: list[tuple[str, str]] = field(default_factory=list)
    operations: int = 0
    most: int = 52
    ready: Callable[[], bool] = lambda: True
    busiest: int = 0
    page_rows: int = 5000
    retry_after: float = 1.0
    _busy: int = 0

    def reset(self) -> None:
        """As it was when it started, but for its address."""
        self.__init__(address=self.address)  # type: ignore[misc]


def application(state: State) -> Starlette:
    """The environment and its token endpoint as one ASGI application."""
    on = _Answers(state)
    return Starlette(
        routes=[
            Route("/{tenant}/v2.0/.well-known/openid-configuration", on.discovery),
            Route("/{tenant}/oauth2/v2.0/token", on.token, methods=["POST"]),
            Route("/main.aspx", on.page),
            Route(API + "{path:path}", on.api, methods=["GET", "PATCH", "POST", "DELETE"]),
        ]
    )


class _Answers:
    def __init__(self, state: State) -> None:
        self.state = state

    async def discovery(self, request: Request) -> Response:
        base = f"{self.state.address}/{request.path_params['tenant']}"
        return JSONResponse(
            {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
            }
        )

    async def token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        if self.state.environment.faults.take("login_later"):
            return JSONResponse({"error": "temporarily_unavailable", "error_description": "AADSTS90033: try again"}, 400)
        known = (form.get("client_id"), form.get("client_secret")) == (self.state.client_id, self.state.client_secret)
        if not known or self.state.environment.faults.take("login_refused"):
            return JSONResponse({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}, 401)
        token = secrets.token_hex(16)
        self.state.tokens.add(token)
        self.state.logins += 1
        return JSONResponse({"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    async def api(self, request: Request) -> Response:
        state, world = self.state, self.state.environment
        path = request.scope["raw_path"].decode().partition(API)[2]
        state.calls.append((request.method, path.partition("(")[0]))
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if world.faults.take("token_expires"):
            state.tokens.discard(token)
        if token not in state.tokens:
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        if world.faults.take("throttled"):
            return self._too_many(-2147015902, "Number of requests exceeded the limit of 6000 over time window of 300 seconds.")
        if state._busy >= state.most:
            return self._too_many(-2147015898, f"Number of concurrent requests exceeded the limit of {state.most}.")
        if world.faults.take("unavailable"):
            return Response(status_code=503, headers={"Retry-After": f"{state.retry_after:g}"})
        state._busy += 1
        state.busiest = max(state.busiest, state._busy)
        try:
            body = await request.body()
            while not state.ready():
                await asyncio.sleep(0.005)
            return self._answer(request, path, body)
        except Refusal as refusal:
            return JSONResponse(refusal.body(), refusal.status)
        finally:
            state._busy -= 1

    def _too_many(self, code: int, message: str) -> Response:
        body = {"error": {"code": hex(code & 0xFFFFFFFF), "message": message}}
        return JSONResponse(body, 429, headers={"Retry-After": f"{self.state.retry_after:g}"})

    def _answer(self, request: Request, path: str, body: bytes) -> Response:
        world = self.state.environment
        if path == "$batch":
            if world.faults.take("batch_lost"):
                return JSONResponse(Refusal(500, "0x80040216", "An unexpected error occurred.").body(), 500)
            found = self._batch(request.headers["content-type"], body, "continue-on-error" in request.headers.get("prefer", ""))
            if world.faults.take("batch_500"):
                return JSONResponse(Refusal(500, "0x80040216", "An unexpected error occurred.").body(), 500)
            return found
        if path == "WhoAmI":
            return JSONResponse({"UserId": "00000000-0000-0000-0000-000000000001"})
        if request.method == "GET" and "(" not in path:
            return self._query(path, request)
        status, headers, content = self._one(request.method, path, dict(request.headers), body)
        return Response(content, status, headers={**headers, "Content-Type": "application/json"})

    def _one(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        """One operation on one row."""
        self.state.operations += 1
        found = _ROW.fullmatch(unquote(path.partition(API)[2] or path).lstrip("/"))
        if not found or "/" in path.rpartition("(")[2]:
            raise Refusal(400, "0x80060888", "Error in query syntax: the key has an unescaped character.")
        table, key = found[1], found[2].replace("''", "'")
        world, lower = self.state.environment, {name.lower(): value for name, value in headers.items()}
        if method == "DELETE":
            world.delete(table, key)
            return 204, {}, b""
        if method == "GET":
            row = world.one(table, key)
            if row is None:
                raise Refusal(
                    404, "0x80060891", f"A record with the specified key values does not exist in {table.removesuffix('s')} entity"
                )
            return 200, {}, json.dumps(row).encode()
        only: Any = "update" if lower.get("if-match") == "*" else "insert" if lower.get("if-none-match") == "*" else None
        row, new = world.upsert(table, key, json.loads(body), only=only)
        place = {"OData-EntityId": f"{self.state.address}{API}{table}({row[id_of(table)]})"}
        if "return=representation" in lower.get("prefer", ""):
            return (201 if new else 200), place, json.dumps({id_of(table): row[id_of(table)]}).encode()
        return 204, place, b""

    def _batch(self, content_type: str, body: bytes, go_on: bool) -> Response:
        boundary, answers, operations = f"batchresponse_{secrets.token_hex(8)}", [], 0
        for part, kind in _parts(content_type, body):
            if kind.startswith("multipart/"):
                inside = list(_parts(kind, part))
                operations += len(inside)
                answer, right = self._change_set(inside)
            else:
                operations += 1
                answer, right = self._operation(part)
            answers.append(answer)
            if not right and not go_on:
                break
        if operations > 1000:
            raise Refusal(400, "0x80044339", "The number of operations in a batch is more than 1000.")
        content = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), one) for one in answers) + b"--%s--\r\n" % boundary.encode()
        return Response(content, 200, headers={"Content-Type": f"multipart/mixed; boundary={boundary}"})

    def _operation(self, part: bytes, content_id: str = "") -> tuple[bytes, bool]:
        head, _, rest = part.lstrip(b"\r\n").partition(b"\r\n")
        names, _, content = rest.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in names.decode().splitlines() if ": " in line)
        method, path, _ = head.decode().split(" ", 2)
        try:
            if self.state.environment.faults.take("row_locked"):
                raise Refusal(500, "0x80044a02", "Generic SQL error: deadlock victim.")
            if self.state.environment.faults.take("row_throttled"):
                raise Refusal(429, "0x80072322", "Number of requests exceeded the limit of 6000 over time window of 300 seconds.")
            status, more, answer = self._one(method, path, headers, content.strip())
        except Refusal as refusal:
            status, more, answer = refusal.status, {}, json.dumps(refusal.body()).encode()
        lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in more.items())]
        outer = [
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            *([f"Content-ID: {content_id}"] if content_id else []),
        ]
        text = "\r\n".join([*outer, "", *lines, "Content-Type: application/json; odata.metadata=minimal", "", ""])
        return text.encode() + answer, status < 400

    def _change_set(self, parts: list[tuple[bytes, str]]) -> tuple[bytes, bool]:
        """All of it or nothing."""
        world = self.state.environment
        before = {name: {key: dict(row) for key, row in rows.items()} for name, rows in world.rows.items()}, dict(world._keys)
        boundary, answers = f"changesetresponse_{secrets.token_hex(8)}", []
        for number, (part, _) in enumerate(parts, start=1):
            answer, right = self._operation(part, str(number))
            if not right:
                world.rows, world._keys = before
                return answer, False
            answers.append(b"--%s\r\n%s\r\n" % (boundary.encode(), answer))
        return b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n%s--%s--\r\n" % (
            boundary.encode(),
            b"".join(answers),
            boundary.encode(),
        ), True

    def _query(self, table: str, request: Request) -> Response:
        """`$select`, `$filter` with and, `$orderby` of one column, pages by `Prefer: odata.maxpagesize`."""
        world, asked = self.state.environment, request.query_params
        world.columns(table)
        rows = [row for row in world.all(table) if _fits(row, asked.get("$filter", ""))]
        if order := asked.get("$orderby", "").split(",")[0].split(" ")[0]:
            rows.sort(key=lambda row: str(row.get(order) or ""))
        start = int(asked.get("$skiptoken", "0"))
        wanted = re.search(r"odata.maxpagesize=(\d+)", request.headers.get("prefer", ""))
        size = min(self.state.page_rows, int(wanted[1]) if wanted else self.state.page_rows)
        named = asked["$select"].split(",") if "$select" in asked else None
        shown = [row if named is None else {name: row.get(name) for name in [id_of(table), *named]} for row in rows[start : start + size]]
        answer: dict[str, Any] = {"value": shown}
        if start + size < len(rows):
            query = "&".join([*(one for one in request.url.query.split("&") if "skiptoken" not in one), f"$skiptoken={start + size}"])
            answer["@odata.nextLink"] = f"{self.state.address}{API}{table}?{query}"
        return JSONResponse(answer)

    async def page(self, request: Request) -> Response:
        table, key = request.query_params["etn"] + "s", request.query_params["id"]
        row = self.state.environment.rows.get(table, {}).get(key)
        return HTMLResponse(page(table.removesuffix("s").title(), row, "bindery_libraryrecord")) if row else Response(status_code=404)


def _parts(content_type: str, body: bytes) -> Iterator[tuple[bytes, str]]:
    """The parts of a multipart body, each with its content type."""
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    if not message.is_multipart():
        raise Refusal(400, "0x80060888", "The batch has no parts.")
    boundary = str(message.get_boundary()).encode()
    for piece in body.split(b"--" + boundary)[1:-1]:
        head, _, content = piece.lstrip(b"\r\n").partition(b"\r\n\r\n")
        kind = re.search(rb"content-type:\s*([^\r\n]+)", head, re.I)
        yield content, kind[1].decode() if kind else "application/http"


def _fits(row: dict[str, Any], condition: str) -> bool:
    for name, op, text in _TERM.findall(condition):
        value, wanted = row.get(name), text[1:-1].replace("''", "'") if text.startswith("'") else {"null": None}.get(text, text)
        left, right = str(value or ""), str(wanted or "")
        if not {"eq": left == right, "ne": left != right, "ge": left >= right, "gt": left > right}[op]:
            return False
    return True
