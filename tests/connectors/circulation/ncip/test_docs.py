"""The worked examples of docs/flows/ncip.md are true: they are asked through the doors of that page, and answered as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.circulation.doors import Doors
from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.loading import load
from include.engine.engine import ROOT
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.ncip.asking import caller, lines
from tests.docs.pages import blocks

PAGE = ROOT / "docs" / "flows" / "ncip.md"
FROM_DBC = {"X-Forwarded-For": "192.0.2.1"}


@pytest.fixture
def doors(tmp_path: Path, living: Embedded) -> Doors:
    """The doors of the page, as they are loaded."""
    [block] = blocks(PAGE, "yaml")
    (tmp_path / "doors.yaml").write_text(block.text)
    folder = tmp_path / "loaded"
    folder.mkdir()
    load([tmp_path / "doors.yaml"], folder, living.store)
    return Doors.load(folder / "doors.yaml")


def _examples() -> list[str]:
    return [block.text for block in blocks(PAGE, "xml")]


def test_the_examples_are_answered_as_the_page_says(doors: Doors, living: Embedded, clock: Clock) -> None:
    living.store.fill("card", [{"card": "1000001", "patron": "p1"}])
    living.store.fill("item", [{"item": "3000001", "title_id": "t9", "title": "A book", "owner": "main", "location": "main"}])
    living.commit()
    laanertjek, wrong_pin, loan = _examples()
    with caller(living, clock, doors) as asker:
        found = lines(asker.post(laanertjek.encode(), **FROM_DBC).content)
        assert found[0] == "LookupUserResponse/UniqueUserId/UserIdentifierValue 1000001"
        assert any(line.endswith("UserAddressInformation/PhysicalAddress/StructuredAddress/District 101") for line in found)
        refused = asker.post(laanertjek.replace("1234", "4321").encode(), **FROM_DBC)
        problem = "".join(refused.text[refused.text.index("<Problem>") : refused.text.index("</LookupUserResponse>")].split())
        assert problem == "".join(wrong_pin.split())
        assert [line.split()[0] for line in lines(asker.post(loan.encode()).content)] == [
            "CheckOutItemResponse/ItemId/ItemIdentifierValue", "CheckOutItemResponse/UserId/UserIdentifierValue", "CheckOutItemResponse/DateDue",
        ]  # fmt: skip


def test_netmusik_is_answered_as_the_page_says(doors: Doors, living: Embedded, clock: Clock) -> None:
    living.store.fill("card", [{"card": "1000001", "patron": "p1"}])
    [block] = blocks(PAGE, "json")
    with caller(living, clock, doors) as asker:
        asked = "/netmusik/1?libraryCode=710100&userId=1000001&userPincode=1234"
        assert asked in PAGE.read_text()
        answer = asker.http.get(asked, headers={"X-Forwarded-For": "192.0.2.65"})
        assert answer.text.replace(" ", "") == block.text.strip().replace(" ", "")
