"""FOLIO's interfaces: the part that self-service needs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from include.sandbox.servers.folio import shapes
from include.sandbox.servers.folio.inventory import Inventory
from include.sandbox.servers.ils import Faults, Library
from include.sandbox.servers.ils.state import Copy, Hold, Patron, uuid_of

Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]


class Folio:
    """One tenant. `login` is the system user's name and password; `libraries` are those with a service point."""

    def __init__(
        self, library: Library, *, tenant: str = "diku", login: tuple[str, str] = ("bindery", "secret"),
        libraries: tuple[str, ...] = ("main", "north"), faults: Faults | None = None,
    ) -> None:  # fmt: skip
        self.library, self.tenant, self.login, self.faults = library, tenant, login, faults or Faults()
        self.faults.exempt = frozenset({"/authn/login-with-expiry"})
        self.inventory = Inventory(library)
        self._tokens: set[str] = set()
        self._points = {shapes.service_point(name): name for name in libraries}
        self._blocks: dict[str, Json] = {}

    def application(self) -> ASGIApp:
        """FOLIO as an ASGI application, with its faults before it."""
        paths: list[tuple[str, str, Handler]] = [
            ("GET", "/users", self.users),
            ("GET", "/groups", self.groups),
            ("POST", "/patron-pin/verify", self.pin),
            ("GET", "/automated-patron-blocks/{id}", self.automated),
            ("GET", "/manualblocks", self.manual),
            ("POST", "/manualblocks", self.block),
            ("DELETE", "/manualblocks/{id}", self.unblock),
            ("GET", "/inventory/items", self.items),
            *self.inventory.paths(),
            ("GET", "/circulation/loans", self.loans),
            ("GET", "/circulation/requests", self.requests),
            ("POST", "/circulation/requests", self.reserve),
            ("GET", "/circulation/requests/{id}", self.request),
            ("PUT", "/circulation/requests/{id}", self.change_request),
            ("POST", "/circulation/loans/{id}/change-due-date", self.change_due),
            ("POST", "/circulation/check-out-by-barcode", self.lend),
            ("POST", "/circulation/check-in-by-barcode", self.take_back),
            ("POST", "/circulation/renew-by-barcode", self.renew),
            ("GET", "/accounts", self.accounts),
            ("GET", "/feefineactions", self.actions),
            ("POST", "/accounts-bulk/pay", self.pay),
            ("POST", "/accounts/{id}/pay", self.pay),
        ]
        routes = [Route(path, self._inside(handler), methods=[method]) for method, path, handler in paths]
        return self.faults.before(Starlette(routes=[Route("/authn/login-with-expiry", self.log_in, methods=["POST"]), *routes]))

    def _inside(self, handler: Handler) -> Handler:
        async def answer(request: Request) -> Response:
            if self.faults.take("token_expires"):
                self._tokens.clear()
            if request.headers.get("X-Okapi-Tenant") != self.tenant:
                return PlainTextResponse("No suitable module found", 404)
            if request.headers.get("X-Okapi-Token") not in self._tokens:
                return PlainTextResponse("Access token has expired", 401)
            return await handler(request)

        return answer

    async def log_in(self, request: Request) -> Response:
        body = await request.json()
        if (body.get("username"), body.get("password")) != self.login:
            return JSONResponse({"errors": [{"message": "Password does not match", "type": "error", "code": "password.incorrect"}]}, 422)
        token, now = secrets.token_hex(20), self.library.now()
        self._tokens.add(token)
        until = {
            "accessTokenExpiration": shapes.stamp(now + timedelta(minutes=10)),
            "refreshTokenExpiration": shapes.stamp(now + timedelta(days=7)),
        }
        answer = JSONResponse(until, 201)
        answer.set_cookie("folioAccessToken", token, path="/", httponly=True)
        return answer

    async def users(self, request: Request) -> Response:
        return _listed(request, "users", (shapes.user(self.library, one) for one in self.library.patrons.values()))

    async def groups(self, request: Request) -> Response:
        names = {patron.category for patron in self.library.patrons.values()}
        return _listed(request, "usergroups", ({"id": uuid_of("group-" + name, 0), "group": name} for name in sorted(names)))

    async def pin(self, request: Request) -> Response:
        body = await request.json()
        found = self._patron(body.get("id", ""))
        return Response(status_code=200 if found and found.pin and found.pin == body.get("pin") else 422)

    async def automated(self, request: Request) -> Response:
        found = self._patron(request.path_params["id"])
        blocks = []
        if found and self.library.owes(found) > self.library.rules.owes:
            message = "Patron has reached maximum allowed outstanding fee/fine balance for his/her patron group"
            blocks.append(
                {
                    "patronBlockConditionId": shapes.FEE_BALANCE,
                    "blockBorrowing": True,
                    "blockRenewals": True,
                    "blockRequests": True,
                    "message": message,
                }
            )
        return JSONResponse({"automatedPatronBlocks": blocks})

    async def manual(self, request: Request) -> Response:
        own = [
            {
                "id": uuid_of("block", one.id),
                "desc": "Blocked at the desk",
                "userId": shapes.user_id(one),
                "borrowing": True,
                "renewals": True,
                "requests": True,
            }
            for one in self.library.patrons.values()
            if one.restricted and not one.blocked_by
        ]
        return _listed(request, "manualblocks", [*own, *self._blocks.values()])

    async def block(self, request: Request) -> Response:
        body = await request.json()
        body["id"] = uuid_of("manual", self.library.next_id())
        self._blocks[body["id"]] = body
        if patron := self._patron(body["userId"]):
            patron.restricted, patron.blocked_by = True, body["id"]
        return JSONResponse(body, 201)

    async def unblock(self, request: Request) -> Response:
        found = self._blocks.pop(request.path_params["id"], None)
        if found is None:
            return PlainTextResponse("Not found", 404)
        if patron := self._patron(found["userId"]):
            patron.restricted, patron.blocked_by = False, ""
        return Response(status_code=204)

    async def items(self, request: Request) -> Response:
        return _listed(request, "items", (shapes.item(self.library, copy) for copy in self.library.copies.values()))

    async def loans(self, request: Request) -> Response:
        return _listed(request, "loans", map(shapes.loan, [*self.library.loans.values(), *self.library.history]))

    async def requests(self, request: Request) -> Response:
        return _listed(request, "requests", (shapes.request(self.library, hold) for hold in self.library.holds.values()))

    async def lend(self, request: Request) -> Response:
        body, library = await request.json(), self.library
        there = self._points.get(body.get("servicePointId", ""))
        if there is None:
            return _refused(shapes.error("Check out must be performed at a service point", servicePointId=body.get("servicePointId", "")))
        patron, copy = library.patron(body.get("userBarcode", "")), library.copies.get(body.get("itemBarcode", ""))
        if patron is None:
            return _refused(shapes.error("Could not find user with matching barcode", userBarcode=body.get("userBarcode", "")))
        if copy is None:
            return _refused(shapes.error(f"No item with barcode {body['itemBarcode']} could be found", itemBarcode=body["itemBarcode"]))
        override: Json = body.get("overrideBlocks") or {}
        if found := shapes.refusals(library, patron, copy, set(override)):
            return _refused(*found)
        at = datetime.fromisoformat(body["loanDate"]) if body.get("loanDate") else None
        wanted = (override.get("itemNotLoanableBlock") or {}).get("dueDate")
        return JSONResponse(shapes.loan(library.lend(patron, copy, there, at, datetime.fromisoformat(wanted) if wanted else None)), 201)

    async def take_back(self, request: Request) -> Response:
        body = await request.json()
        copy, there = self.library.copies.get(body["itemBarcode"]), self._points.get(body["servicePointId"])
        if copy is None or there is None:
            return _refused(
                shapes.error(
                    f"No item with barcode {body['itemBarcode']} exists", "ITEM_BARCODE_NOT_FOUND", itemBarcode=body["itemBarcode"]
                )
            )
        loan, hold = self.library.take_back(copy, there, datetime.fromisoformat(body["checkInDate"]))
        item = shapes.item(self.library, copy) | {"location": {"name": copy.home}, "instanceId": shapes.instance_of(copy)}
        slip: Json = {"item": {"barcode": copy.barcode}}
        if copy.state == "transit":
            item["inTransitDestinationServicePointId"] = shapes.service_point(copy.goes_to)
        if hold is not None:
            first, _, last = hold.patron.name.rpartition(" ")
            slip |= {"requester": {"barcode": hold.patron.card, "firstName": first, "lastName": last},
                     "request": {"requestID": shapes.request_id(hold), "servicePointPickup": hold.pickup}}  # fmt: skip
        shown: Json = {"item": item, "staffSlipContext": slip, "inHouseUse": loan is None}
        return JSONResponse(shown | ({"loan": shapes.loan(loan)} if loan else {}))

    async def renew(self, request: Request) -> Response:
        body = await request.json()
        copy, patron = self.library.copies.get(body["itemBarcode"]), self.library.patron(body["userBarcode"])
        loan = self.library.loans.get(body["itemBarcode"])
        if copy is None:
            return _refused(shapes.error(f"No item with barcode {body['itemBarcode']} exists", "ITEM_BARCODE_NOT_FOUND"))
        if loan is None:
            return _refused(shapes.error("No open loan found for the item barcode.", itemBarcode=copy.barcode))
        if loan.patron is not patron:
            return _refused(shapes.error("Cannot renew item checked out to different user", "ITEM_CHECKED_OUT_TO_DIFFERENT_USER"))
        if why := self.library.renewable(loan):
            return _refused(_RENEWAL[why])
        return JSONResponse(shapes.loan(self.library.renew(loan)), 200)

    async def change_due(self, request: Request) -> Response:
        loan = next((one for one in self.library.loans.values() if uuid_of("loan", one.id) == request.path_params["id"]), None)
        if loan is None:
            return PlainTextResponse("Not found", 404)
        loan.due, loan.dated = datetime.fromisoformat((await request.json())["dueDate"]), self.library.now()
        return Response(status_code=204)

    async def request(self, request: Request) -> Response:
        hold = self._hold(request.path_params["id"])
        return JSONResponse(shapes.request(self.library, hold)) if hold else PlainTextResponse("Not found", 404)

    async def reserve(self, request: Request) -> Response:
        body, library = await request.json(), self.library
        patron = self._patron(body["requesterId"])
        title = next((one.title_id for one in library.copies.values() if shapes.instance_of(one) == body.get("instanceId")), None)
        if patron is None or title is None:
            return _refused(shapes.error("A valid user and item are required"))
        copy: Copy | None = next((one for one in library.copies.values() if shapes.item_id(one) == body.get("itemId")), None)
        own = [one for one in library.holds.values() if one.patron is patron]
        if any(one.title_id == title for one in own):
            return _refused(shapes.error("This requester already has an open request for this instance", "INSTANCE_ALREADY_REQUESTED"))
        if len(own) >= library.rules.holds:
            return _refused(shapes.error("Patron blocked from requesting", "USER_IS_BLOCKED_AUTOMATICALLY"))
        free = copy is not None and shapes.status(library, copy) == "Available"
        if body["requestType"] == "Hold" and free:
            return _refused(
                shapes.error(
                    "Hold requests are not allowed for this patron and item combination", "REQUEST_NOT_ALLOWED_FOR_PATRON_ITEM_COMBINATION"
                )
            )
        hold = library.reserve(patron, title, self._points[body["pickupServicePointId"]], copy)
        hold.uuid = body.get("id", "")
        return JSONResponse(shapes.request(library, hold), 201)

    async def change_request(self, request: Request) -> Response:
        hold = self._hold(request.path_params["id"])
        if hold is None:
            return PlainTextResponse("Not found", 404)
        body = await request.json()
        if body["status"].startswith("Closed"):
            self.library.cancel(hold)
        else:
            hold.pickup = self._points[body["pickupServicePointId"]]
        return Response(status_code=204)

    async def accounts(self, request: Request) -> Response:
        return _listed(request, "accounts", map(shapes.account, self.library.debts.values()))

    async def actions(self, request: Request) -> Response:
        return _listed(request, "feefineactions", map(shapes.action, self.library.payments))

    async def pay(self, request: Request) -> Response:
        body = await request.json()
        wanted = body.get("accountIds") or [request.path_params["id"]]
        found = [debt for debt in self.library.debts.values() if uuid_of("account", debt.id) in wanted]
        amount = Decimal(body["amount"])
        if not found or amount > sum(debt.left for debt in found):
            return JSONResponse(
                {"accountIds": wanted, "amount": body["amount"], "errorMessage": "Requested amount exceeds remaining amount"}, 422
            )
        self.library.pay(found[0].patron, amount, body.get("transactionInfo", ""), [debt.id for debt in found])
        return JSONResponse({"amount": body["amount"], "accountIds": wanted, "feefineactions": []}, 201)

    def _patron(self, uuid: str) -> Patron | None:
        return next((one for one in self.library.patrons.values() if shapes.user_id(one) == uuid), None)

    def _hold(self, uuid: str) -> Hold | None:
        return next((one for one in self.library.holds.values() if shapes.request_id(one) == uuid), None)


_RENEWAL = {
    "on_reserve": shapes.error(
        "Items with this loan policy cannot be renewed when there is an active, pending hold request", "RENEWAL_BLOCKED_BY_HOLD_REQUEST"
    ),
    "many": shapes.error("loan at maximum renewal number", "LOAN_RENEWAL_LIMIT_REACHED"),
    "blocked": shapes.error("Patron blocked from renewing", "USER_IS_BLOCKED_MANUALLY"),
    "lost": shapes.error("Patron blocked from renewing", "USER_IS_BLOCKED_MANUALLY"),
    "owes": shapes.error("Patron has reached maximum allowed outstanding fee/fine balance", "USER_IS_BLOCKED_AUTOMATICALLY"),
    "expired": shapes.error("User is inactive or expired", "USER_IS_INACTIVE_OR_EXPIRED"),
}
_CONDITION = re.compile(r'([\w.]+)\s*(==|=|>=)\s*(\([^()]*\)|"(?:[^"\\]|\\.)*")')


def _refused(*errors: Json) -> Response:
    return JSONResponse({"errors": list(errors), "total_records": len(errors)}, 422)


def _listed(request: Request, name: str, rows: Iterable[Json]) -> Response:
    conditions = _CONDITION.findall(request.query_params.get("query", ""))
    found = [row for row in rows if all(_fits(_at(row, path), sign, value) for path, sign, value in conditions)]
    return JSONResponse({name: found[: int(request.query_params.get("limit", 10))], "totalRecords": len(found)})


def _fits(value: Any, sign: str, wanted: str) -> bool:
    values = [re.sub(r"\\(.)", r"\1", one) for one in re.findall(r'"((?:[^"\\]|\\.)*)"', wanted)]
    if value is None:
        return False
    if sign == ">=":
        return datetime.fromisoformat(str(value)) >= datetime.fromisoformat(values[0])
    return any(str(value).startswith(one[:-1]) if one.endswith("*") else str(value) == one for one in values)


def _at(row: Json, path: str) -> Any:
    found: Any = row
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
