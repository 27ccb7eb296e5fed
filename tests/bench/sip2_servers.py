"""The servers that ours is held against: python -m tests.bench.sip2_servers no-journal | nothing-kept | pysip2 | pysip2-asyncio

"no-journal" is the sidecar with a journal that says "durable" at once and keeps nothing; "nothing-kept" writes its store's file no more either,
so that what changes stays in its memory alone. pysip2's answers from two dictionaries.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import uvloop


class _Durable:
    """Nothing is to be waited for."""

    def __await__(self) -> Iterator[None]:
        return iter(())


_DURABLE = _Durable()


class Unkept:
    """A journal that keeps nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        self.newest = self.durable = 0

    def append(self, data: object) -> _Durable:
        self.newest = self.durable = self.newest + 1
        return _DURABLE

    async def settled(self) -> None:
        return

    def flush(self) -> None:
        return

    close = flush


def no_journal(*, file: bool) -> None:
    """The sidecar without its journal; `file`: whether it goes on writing its store's."""
    from connectors.circulation import compiled

    compiled.use()
    from connectors.circulation import serving
    from connectors.circulation.demo import made
    from connectors.circulation.embedded import backend
    from connectors.circulation.serving import Ports, serve

    folder, keys, gone = made()
    backend.Journal = Unkept  # type: ignore[attr-defined, assignment]
    if not file:
        serving.keep = _never  # type: ignore[attr-defined]
    try:
        uvloop.run(serve(folder, keys, Ports(sip2=0, http=0)))
    finally:
        gone()


async def _never(*_: object) -> None:
    await asyncio.Event().wait()


def pysip2_server(*, fast: bool) -> None:
    """A server of pysip2's that keeps nothing: patrons and items in two dictionaries. `fast`: on uvloop."""
    import anyio
    import pysip2

    app = pysip2.SIP2Server(institution_id="demo", encoding="utf-8")
    loans: dict[str, str] = {}

    @app.route(pysip2.LOGIN)
    async def login(request: pysip2.LoginRequest, context: object) -> pysip2.LoginResponse:
        return pysip2.LoginResponse(ok="1")

    @app.route(pysip2.PATRON_STATUS)
    async def status(request: pysip2.PatronStatusRequest, context: object) -> pysip2.PatronStatusResponse:
        return pysip2.PatronStatusResponse(
            patron_status=" " * 14, language="001", transaction_date=_stamp(), institution_id="demo",
            patron_identifier=request.patron_identifier, personal_name="Reader", valid_patron="Y",
        )  # fmt: skip

    @app.route(pysip2.CHECKOUT)
    async def checkout(request: pysip2.CheckoutRequest, context: object) -> pysip2.CheckoutResponse:
        free = request.item_identifier not in loans
        loans[request.item_identifier] = request.patron_identifier
        return pysip2.CheckoutResponse(
            ok="1" if free else "0", renewal_ok="N", magnetic_media="N", desensitize="Y", transaction_date=_stamp(),
            institution_id="demo", patron_identifier=request.patron_identifier, item_identifier=request.item_identifier,
            title_identifier="A title", due_date=_stamp(),
        )  # fmt: skip

    @app.route(pysip2.CHECKIN)
    async def checkin(request: pysip2.CheckinRequest, context: object) -> pysip2.CheckinResponse:
        lent = loans.pop(request.item_identifier, None)
        return pysip2.CheckinResponse(
            ok="1" if lent else "0", resensitize="Y", magnetic_media="N", alert="N", transaction_date=_stamp(),
            institution_id="demo", item_identifier=request.item_identifier, permanent_location="main",
        )  # fmt: skip

    async def serve() -> None:
        async with app.start() as port:
            print(json.dumps({"sip2": port}), flush=True)
            await anyio.sleep_forever()

    anyio.run(serve, backend_options={"use_uvloop": fast})


def _stamp() -> str:
    return time.strftime("%Y%m%d    %H%M%S")


def main() -> None:
    match sys.argv[1:]:
        case ["no-journal"]:
            no_journal(file=True)
        case ["nothing-kept"]:
            no_journal(file=False)
        case ["pysip2"]:
            pysip2_server(fast=True)
        case ["pysip2-asyncio"]:
            pysip2_server(fast=False)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
