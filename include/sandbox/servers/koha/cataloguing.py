"""Koha's REST interface as cataloguers and the desk use it: titles, copies and patrons that come and go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from include.sandbox.servers.ils import Library
from include.sandbox.servers.ils.state import Copy, Patron
from include.sandbox.servers.koha import shapes

Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]
SHORTEST_PIN = 4


class Cataloguing:
    """Titles that have no copy (yet) are in `titles`, by their numbers."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.titles: dict[int, str] = {}

    def paths(self) -> list[tuple[str, str, Handler]]:
        """Methods, paths and what answers them."""
        return [
            ("POST", "/biblios", self.add_title),
            ("DELETE", "/biblios/{id:int}", self.delete_title),
            ("POST", "/biblios/{id:int}/items", self.add_copy),
            ("DELETE", "/items/{id:int}", self.delete_copy),
            ("POST", "/patrons", self.add_patron),
            ("DELETE", "/patrons/{id:int}", self.delete_patron),
            ("POST", "/patrons/{id:int}/password", self.set_password),
        ]

    async def add_title(self, request: Request) -> Response:
        if request.headers.get("Content-Type") != "application/marc-in-json":
            return JSONResponse(["application/marcxml+xml", "application/marc-in-json", "application/marc"], 406)
        tag = "200" if request.headers.get("x-record-schema") == "UNIMARC" else "245"
        fields = (await request.json())["fields"]
        title = next(part["a"] for one in fields if tag in one for part in one[tag]["subfields"] if "a" in part)
        number = self.library.next_id()
        self.titles[number] = title
        return JSONResponse({"id": number})

    async def delete_title(self, request: Request) -> Response:
        number = request.path_params["id"]
        if any(copy.title_id == number for copy in self.library.copies.values()):
            return JSONResponse({"error": "This Biblio has items attached, please delete them first before deleting this biblio"}, 409)
        if self.titles.pop(number, None) is None:
            return JSONResponse({"error": "Bibliographic record not found", "error_code": "not_found"}, 404)
        return Response(status_code=204)

    async def add_copy(self, request: Request) -> Response:
        number, body = request.path_params["id"], await request.json()
        if number not in self.titles:
            return JSONResponse({"error": "Bibliographic record not found", "error_code": "not_found"}, 404)
        if body["external_id"] in self.library.copies:
            return JSONResponse({"error": "Duplicate barcode."}, 409)
        home = body.get("home_library_id") or "main"
        copy = Copy(self.library.next_id(), body["external_id"], number, self.titles[number], body["item_type_id"], home, home)
        self.library.copies[copy.barcode] = copy
        return JSONResponse(shapes.item(self.library, copy, biblio=False), 201)

    async def delete_copy(self, request: Request) -> Response:
        copy = self.library.copy(request.path_params["id"])
        if copy is None:
            return JSONResponse({"error": "Item not found"}, 404)
        if copy.barcode in self.library.loans:
            return JSONResponse({"error": "The item is checked out", "error_code": "checked_out"}, 409)
        if self.library.queue(copy.title_id):
            return JSONResponse({"error": "Waiting or in-transit hold for the item", "error_code": "found_hold"}, 409)
        del self.library.copies[copy.barcode]
        self.titles.setdefault(copy.title_id, copy.title)
        return Response(status_code=204)

    async def add_patron(self, request: Request) -> Response:
        body = await request.json()
        if missing := {"surname", "library_id", "category_id"} - set(body):
            return JSONResponse({"errors": [{"message": "Missing property.", "path": f"/body/{name}"} for name in sorted(missing)]}, 400)
        if self.library.patron(body["cardnumber"]) is not None:
            return JSONResponse({"error": "Duplicate ID", "conflict": "cardnumber"}, 409)
        if body["category_id"] not in {one.category for one in self.library.patrons.values()}:
            return JSONResponse({"error": "Given category_id does not exist"}, 400)
        born = date.fromisoformat(body["date_of_birth"]) if body.get("date_of_birth") else None
        name = " ".join(filter(None, (body.get("firstname"), body["surname"])))
        today = self.library.now().astimezone(self.library.zone).date()
        patron = Patron(
            self.library.next_id(), body["cardnumber"], name, body["category_id"], body["library_id"], born=born, email=body.get("email", ""),
            enrolled=today,
        )  # fmt: skip
        self.library.patrons[patron.id] = patron
        return JSONResponse(shapes.patron(patron), 201)

    async def delete_patron(self, request: Request) -> Response:
        found = self.library.patrons.pop(request.path_params["id"], None)
        return Response(status_code=204) if found else JSONResponse({"error": "Patron not found"}, 404)

    async def set_password(self, request: Request) -> Response:
        found, body = self.library.patrons.get(request.path_params["id"]), await request.json()
        if found is None:
            return JSONResponse({"error": "Patron not found."}, 404)
        if body["password"] != body["password_2"]:
            return JSONResponse({"error": "Passwords don't match"}, 400)
        if len(body["password"]) < SHORTEST_PIN:
            return JSONResponse({"error": f"[Password length ({len(body['password'])}) is shorter than required ({SHORTEST_PIN})]"}, 400)
        found.pin = body["password"]
        return JSONResponse("", 201)
