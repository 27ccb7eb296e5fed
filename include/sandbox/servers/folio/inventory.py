"""FOLIO's inventory and users as other systems write them: instances, holdings and items that come and go, and new users."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from include.sandbox.servers.folio import shapes
from include.sandbox.servers.ils import Library
from include.sandbox.servers.ils.state import Copy, Patron, uuid_of

Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]


class Inventory:
    """What is sent is kept as it is; an item becomes a copy of the library's, whose UUIDs are those that were sent."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.instances: dict[str, Json] = {}
        self.holdings: dict[str, Json] = {}

    def paths(self) -> list[tuple[str, str, Handler]]:
        """Methods, paths and what answers them."""
        return [
            ("POST", "/inventory/instances", self.add_instance),
            ("GET", "/inventory/instances/{id}", self.instance),
            ("DELETE", "/inventory/instances/{id}", self.delete_instance),
            ("POST", "/holdings-storage/holdings", self.add_holdings),
            ("GET", "/holdings-storage/holdings/{id}", self.one_holdings),
            ("DELETE", "/holdings-storage/holdings/{id}", self.delete_holdings),
            ("POST", "/inventory/items", self.add_item),
            ("GET", "/inventory/items/{id}", self.item),
            ("DELETE", "/inventory/items/{id}", self.delete_item),
            ("POST", "/users", self.add_user),
            ("DELETE", "/users/{id}", self.delete_user),
            ("POST", "/patron-pin", self.set_pin),
        ]

    async def add_instance(self, request: Request) -> Response:
        return _kept(self.instances, await request.json(), "instance", ("title", "source", "instanceTypeId"))

    async def instance(self, request: Request) -> Response:
        return _one(self.instances.get(request.path_params["id"]))

    async def delete_instance(self, request: Request) -> Response:
        number = request.path_params["id"]
        if any(one["instanceId"] == number for one in self.holdings.values()):
            return PlainTextResponse(
                f"Cannot delete instance.id = {number} because id is still referenced from table holdings_record.", 400
            )
        return _gone(self.instances.pop(number, None))

    async def add_holdings(self, request: Request) -> Response:
        body = await request.json()
        if body.get("instanceId") not in self.instances:
            return JSONResponse(
                {"errors": [{"message": "Cannot set holdings_record.instanceid, for it does not exist in instance.id."}]}, 422
            )
        return _kept(self.holdings, body, "holdings_record", ("permanentLocationId", "sourceId"))

    async def one_holdings(self, request: Request) -> Response:
        wanted = request.path_params["id"]
        title = next((copy.title_id for copy in self.library.copies.values() if uuid_of("holdings", copy.title_id) == wanted), None)
        made = {"id": wanted, "instanceId": uuid_of("instance", title)} if title is not None else None
        return _one(self.holdings.get(wanted) or made)

    async def delete_holdings(self, request: Request) -> Response:
        number = request.path_params["id"]
        if any(shapes.holdings_of(copy) == number for copy in self.library.copies.values()):
            return PlainTextResponse(f"Cannot delete holdings_record.id = {number} because id is still referenced from table item.", 400)
        return _gone(self.holdings.pop(number, None))

    async def add_item(self, request: Request) -> Response:
        body = await request.json()
        holdings = self.holdings.get(body.get("holdingsRecordId", ""))
        if holdings is None:
            return PlainTextResponse("Holdings record does not exist", 400)
        if body["barcode"] in self.library.copies or self._copy(body["id"]):
            return PlainTextResponse(f"Barcode must be unique, {body['barcode']} is already assigned to another item", 400)
        title = self.instances[holdings["instanceId"]]["title"]
        material = body["materialType"]["id"]
        copy = Copy(self.library.next_id(), body["barcode"], self.library.next_id(), title, material)
        copy.uuids = {"item": body["id"], "holdings": holdings["id"], "instance": holdings["instanceId"], "material": material}
        self.library.copies[copy.barcode] = copy
        return JSONResponse(shapes.item(self.library, copy), 201)

    async def item(self, request: Request) -> Response:
        copy = self._copy(request.path_params["id"])
        return _one(shapes.item(self.library, copy) if copy else None)

    async def delete_item(self, request: Request) -> Response:
        copy = self._copy(request.path_params["id"])
        if copy is not None:
            del self.library.copies[copy.barcode]
        return _gone(copy)

    async def add_user(self, request: Request) -> Response:
        body = await request.json()
        if not body.get("personal", {}).get("lastName"):
            return JSONResponse({"errors": [{"message": "must not be null", "parameters": [{"key": "personal.lastName"}]}]}, 422)
        if self.library.patron(body["barcode"]) or any(shapes.user_id(one) == body["id"] for one in self.library.patrons.values()):
            return JSONResponse({"errors": [{"message": "User with this barcode already exists"}]}, 422)
        personal = body["personal"]
        groups = {uuid_of("group-" + one.category, 0): one.category for one in self.library.patrons.values()}
        born = date.fromisoformat(personal["dateOfBirth"]) if personal.get("dateOfBirth") else None
        name = " ".join(filter(None, (personal.get("firstName"), personal["lastName"])))
        patron = Patron(self.library.next_id(), body["barcode"], name, groups[body["patronGroup"]], "", born=born, uuid=body["id"],
                        email=personal.get("email", ""), made=self.library.now())  # fmt: skip
        self.library.patrons[patron.id] = patron
        return JSONResponse(shapes.user(self.library, patron), 201)

    async def delete_user(self, request: Request) -> Response:
        number = request.path_params["id"]
        found = next((one for one in self.library.patrons.values() if shapes.user_id(one) == number), None)
        if found is not None:
            del self.library.patrons[found.id]
        return _gone(found)

    async def set_pin(self, request: Request) -> Response:
        body = await request.json()
        found = next((one for one in self.library.patrons.values() if shapes.user_id(one) == body["id"]), None)
        if found is None:
            return JSONResponse({"errors": [{"message": "Cannot set pin"}]}, 422)
        found.pin = body["pin"]
        return Response(status_code=201)

    def _copy(self, number: str) -> Copy | None:
        return next((one for one in self.library.copies.values() if shapes.item_id(one) == number), None)


def _kept(known: dict[str, Json], body: Json, table: str, needed: tuple[str, ...]) -> Response:
    if missing := [name for name in needed if not body.get(name)]:
        return JSONResponse({"errors": [{"message": "must not be null", "parameters": [{"key": name}]} for name in missing]}, 422)
    if body["id"] in known:
        return PlainTextResponse(f"id value already exists in table {table}: {body['id']}", 400)
    known[body["id"]] = body
    return JSONResponse(body, 201)


def _one(found: Json | None) -> Response:
    return JSONResponse(found) if found else PlainTextResponse("Not found", 404)


def _gone(found: object) -> Response:
    return Response(status_code=204) if found else PlainTextResponse("Not found", 404)
