"""Koha's REST interface: the part that self-service needs."""

from __future__ import annotations

import json
import secrets
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from include.sandbox.servers.ils import Faults, Library
from include.sandbox.servers.koha import shapes
from include.sandbox.servers.koha.cataloguing import Cataloguing

Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]
BASE = "/api/v1"
HOLD_REFUSED = "Hold cannot be placed. Reason: "


class Koha:
    """One Koha. `login` is a client id and its secret (or a staff login); `checkins` is whether it has the newest check-in endpoint."""

    def __init__(
        self, library: Library, *, login: tuple[str, str] = ("bindery", "secret"), checkins: bool = False, faults: Faults | None = None
    ) -> None:
        self.library, self.login, self.faults = library, login, faults or Faults()
        self.faults.exempt = frozenset({f"{BASE}/oauth/token"})
        self.cataloguing = Cataloguing(library)
        self._tokens: set[str] = set()
        self._checkins = checkins

    def application(self) -> ASGIApp:
        """Koha as an ASGI application, with its faults before it."""
        paths: list[tuple[str, str, Handler]] = [
            ("GET", "/patrons", self.patrons),
            ("POST", "/auth/password/validation", self.password),
            ("GET", "/items", self.items),
            ("GET", "/checkouts", self.checkouts),
            ("GET", "/checkouts/availability", self.availability),
            ("POST", "/checkouts", self.lend),
            ("POST", "/checkouts/{id:int}/renewals", self.renew),
            ("GET", "/holds", self.holds),
            ("POST", "/holds", self.reserve),
            ("PUT", "/holds/{id:int}", self.change_hold),
            ("DELETE", "/holds/{id:int}", self.cancel_hold),
            ("GET", "/patrons/{id:int}/account", self.account),
            ("GET", "/patrons/{id:int}/account/credits", self.credits),
            ("POST", "/patrons/{id:int}/account/credits", self.pay),
        ]
        paths += self.cataloguing.paths()
        if self._checkins:
            paths.append(("POST", "/checkins", self.take_back))
        routes = [Route(f"{BASE}{path}", self._inside(handler), methods=[method]) for method, path, handler in paths]
        return self.faults.before(Starlette(routes=[Route(f"{BASE}/oauth/token", self.token, methods=["POST"]), *routes]))

    def _inside(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            if self.faults.take("token_expires"):
                self._tokens.clear()
            kind, _, shown = request.headers.get("Authorization", "").partition(" ")
            basic = kind == "Basic" and b64decode(shown).decode() == ":".join(self.login)
            if not basic and not (kind == "Bearer" and shown in self._tokens):
                return _error(401, "Authentication failure." if kind else "Authentication required")
            return await handler(request)

        return answer

    async def token(self, request: Request) -> Response:
        form = await request.form()
        if (form.get("client_id"), form.get("client_secret")) != self.login or form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unauthorized_client"}, 403)
        found = secrets.token_hex(16)
        self._tokens.add(found)
        return JSONResponse({"access_token": found, "token_type": "Bearer", "expires_in": 3600})

    async def patrons(self, request: Request) -> Response:
        return _listed(request, map(shapes.patron, self.library.patrons.values()))

    async def password(self, request: Request) -> Response:
        body = await request.json()
        wanted = body.get("identifier", "")
        named = next((one for one in self.library.patrons.values() if one.userid == wanted), None)  # C4::Auth::checkpw: a user name first
        found = next((one for one in (named, self.library.patron(wanted)) if one and one.pin and one.pin == body.get("password")), None)
        if found is None:
            return _error(400, "Validation failed")
        return JSONResponse({"cardnumber": found.card, "patron_id": found.id, "userid": found.userid or found.card}, 201)

    async def items(self, request: Request) -> Response:
        biblio = "biblio" in request.headers.get("x-koha-embed", "")
        return _listed(request, (shapes.item(self.library, one, biblio=biblio) for one in self.library.copies.values()))

    async def checkouts(self, request: Request) -> Response:
        ended = request.query_params.get("checked_in") in ("1", "true")
        loans = self.library.history if ended else self.library.loans.values()
        return _listed(request, (shapes.checkout(self.library, one) for one in loans))

    async def availability(self, request: Request) -> Response:
        patron = self.library.patrons.get(int(request.query_params["patron_id"]))
        copy = self.library.copy(int(request.query_params["item_id"]))
        if patron is None or copy is None:
            return _error(500, "Something went wrong, check Koha logs for details.", "internal_server_error")
        blockers, confirms = shapes.refusals(self.library, patron, copy)
        return JSONResponse(
            {"blockers": blockers, "confirms": confirms, "warnings": {}, "confirmation_token": shapes.token(copy, confirms)}
        )  # fmt: skip

    async def lend(self, request: Request) -> Response:
        body = await request.json()
        patron, copy = self.library.patrons.get(body.get("patron_id", 0)), self.library.copy(body.get("item_id", 0))
        if copy is None:
            return _error(409, "Item not found", "ITEM_NOT_FOUND")
        if patron is None:
            return _error(409, "Patron not found", "PATRON_NOT_FOUND")
        blockers, confirms = shapes.refusals(self.library, patron, copy)
        if blockers:
            return _error(403, f"Checkout not authorized ({' '.join(blockers)})")
        if confirms and request.query_params.get("confirmation") != shapes.token(copy, confirms):
            return _error(412, "Confirmation error")
        own = self.library.loans.get(copy.barcode)
        if own is not None and own.patron is patron:
            loan = self.library.renew(own)
        else:
            loan = self.library.lend(patron, copy, request.headers.get("x-koha-library") or copy.at)
        return JSONResponse(shapes.checkout(self.library, loan), 201)

    async def renew(self, request: Request) -> Response:
        loan = next((one for one in self.library.loans.values() if one.id == request.path_params["id"]), None)
        if loan is None:
            return _error(404, "Checkout not found", "not_found")
        if why := self.library.renewable(loan):
            return _error(403, f"Renewal not authorized ({_RENEWAL[why]})")
        return JSONResponse(shapes.checkout(self.library, self.library.renew(loan)), 201)

    async def take_back(self, request: Request) -> Response:
        body = await request.json()
        copy = self.library.copies.get(body.get("external_id", ""))
        if copy is None:
            return _error(404, "Item not found", "not_found")
        if copy.state == "withdrawn":
            return JSONResponse({"error": "Checkin blocked", "error_code": "checkin_blocked", "blockers": {"withdrawn": 1}}, 403)
        at = body.get("return_date")
        loan, hold = self.library.take_back(copy, body.get("library_id", ""), datetime.fromisoformat(at) if at else None)
        shown: Json = {
            "checkin_id": self.library.next_id(), "item_id": copy.id, "library_id": copy.at, "checkout_id": loan and loan.id,
            "hold_id": hold and hold.id, "hold": hold and {**shapes.hold(self.library, hold), "patron": shapes.patron(hold.patron)},
            "transfer": {"to_library_id": copy.goes_to} if copy.state == "transit" else None,
            "checkout": loan and shapes.checkout(self.library, loan), "item": shapes.item(self.library, copy, biblio=True),
            "messages": [] if loan else [{"message": "not_issued", "type": "info"}],
        }  # fmt: skip
        return JSONResponse(shown)

    async def holds(self, request: Request) -> Response:
        return _listed(request, (shapes.hold(self.library, one) for one in self.library.holds.values()))

    async def reserve(self, request: Request) -> Response:
        body, library = await request.json(), self.library
        patron = library.patrons.get(body.get("patron_id", 0))
        copy = library.copy(body["item_id"]) if body.get("item_id") else None
        title = copy.title_id if copy else body.get("biblio_id")
        if patron is None or not any(one.title_id == title for one in library.copies.values()):
            return _error(400, "patron_id not found" if patron is None else "Biblio not found.")
        own = [one for one in library.holds.values() if one.patron is patron]
        if any(one.title_id == title for one in own):
            return _error(403, HOLD_REFUSED + "itemAlreadyOnHold")
        if len(own) >= library.rules.holds:
            return _error(403, HOLD_REFUSED + "tooManyReserves")
        if library.barred(patron):
            return _error(403, HOLD_REFUSED + _BARRED[library.barred(patron)])
        return JSONResponse(
            shapes.hold(library, library.reserve(patron, title, body["pickup_library_id"], copy)), 201
        )  # fmt: skip

    async def change_hold(self, request: Request) -> Response:
        hold = self.library.holds.get(request.path_params["id"])
        if hold is None:
            return _error(404, "Hold not found", "not_found")
        hold.pickup = (await request.json()).get("pickup_library_id", hold.pickup)
        return JSONResponse(shapes.hold(self.library, hold))

    async def cancel_hold(self, request: Request) -> Response:
        hold = self.library.holds.get(request.path_params["id"])
        if hold is None:
            return _error(404, "Hold not found", "not_found")
        self.library.cancel(hold)
        return Response(status_code=204)

    async def account(self, request: Request) -> Response:
        patron = self.library.patrons.get(request.path_params["id"])
        if patron is None:
            return _error(404, "Patron not found.")
        lines = [shapes.debit(one) for one in self.library.debts.values() if one.patron is patron and one.left]
        total = float(self.library.owes(patron))
        return JSONResponse(
            {"balance": total, "outstanding_debits": {"total": total, "lines": lines}, "outstanding_credits": {"total": 0, "lines": []}}
        )

    async def credits(self, request: Request) -> Response:
        found = (one for one in self.library.payments if one.patron.id == request.path_params["id"])
        return _listed(request, (shapes.credit(self.library, one) for one in found))

    async def pay(self, request: Request) -> Response:
        patron = self.library.patrons.get(request.path_params["id"])
        body = await request.json()
        if patron is None:
            return _error(404, "Patron not found.")
        amount = Decimal(str(body.get("amount", 0)))
        if amount <= 0:
            return _error(400, "Exception 'Koha::Exceptions::BadParameter' thrown 'Bad parameter'")
        payment = self.library.pay(patron, amount, body.get("note") or "", body.get("account_lines_ids"))
        return JSONResponse({"account_line_id": payment.id}, 201)


_RENEWAL = {
    "on_reserve": "on_reserve",
    "many": "too_many",
    "blocked": "restriction",
    "lost": "restriction",
    "expired": "restriction",
    "owes": "restriction",
}
_BARRED = {"blocked": "restricted", "lost": "cardLost", "expired": "expired", "owes": "debtLimit"}


def _listed(request: Request, rows: Iterable[Json]) -> Response:
    """What `q` and the plain parameters leave, in pages. `q` is JSON: a value is the value, a list any of its values, `>=` from it on."""
    query: Json = json.loads(request.query_params.get("q") or "{}")
    for name in ("patron_id", "item_id", "biblio_id"):
        if name in request.query_params:
            query[name] = int(request.query_params[name])
    found = [row for row in rows if all(_fits(row.get(name), wanted) for name, wanted in query.items())]
    size, page = int(request.query_params.get("_per_page", 20)), int(request.query_params.get("_page", 1))
    shown = found if size < 0 else found[(page - 1) * size : page * size]
    return JSONResponse(shown, headers={"X-Total-Count": str(len(found))})


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return value in wanted
    if isinstance(wanted, dict):
        return value is not None and all(datetime.fromisoformat(value) >= datetime.fromisoformat(one) for one in wanted.values())
    return bool(value == wanted)


def _error(status: int, text: str, code: str | None = None) -> Response:
    return JSONResponse({"error": text} | ({"error_code": code} if code else {}), status)
