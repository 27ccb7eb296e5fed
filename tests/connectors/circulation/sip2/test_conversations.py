"""Conversations as machines have them, over a real socket: every pair of messages, and what each is answered."""

from __future__ import annotations

import pytest

from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.profile import Profile
from connectors.circulation.sip2.codec import Parsed, parse
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.running import Raw, running

NOW = "20261120    130000"


def _borrow(kiosk: Raw, item: str = "b1", card: str = "c1", more: str = "") -> Parsed:
    return parse(kiosk.ask(f"11NN{NOW}{' ' * 18}AOlindeby|AA{card}|AB{item}|AC|{more}"))


def _return(kiosk: Raw, item: str = "b1", more: str = "") -> Parsed:
    return parse(kiosk.ask(f"09N{NOW}{NOW}AP|AOlindeby|AB{item}|AC|{more}"))


CONVERSATIONS = {
    "status of the server": (
        ["9900802.00"],
        [f"98YYYYYY030003{NOW}2.00AOlindeby|AMLindeby|BXYYYNYYYYYYYYYYYY|ANhall|"],
    ),
    "patron status": (
        [f"23001{NOW}AOlindeby|AAc1|AC|AD1234|"],
        [f"24              001{NOW}AOlindeby|AAc1|AEReader One|BLY|CQY|PCadult|"],
    ),
    "an unknown card": (
        [f"23001{NOW}AOlindeby|AAnobody|AC|AD1234|"],
        [f"24YYYY          001{NOW}AOlindeby|AAnobody|AE|BLN|CQN|AFUnknown card|"],
    ),
    "a wrong PIN tells nothing of the patron": (
        [f"23009{NOW}AOlindeby|AAc1|AC|AD4321|"],
        [f"24YYYY          009{NOW}AOlindeby|AAc1|AE|BLY|CQN|AFForkert pinkode|"],
    ),
    "an expired card": (
        [f"23001{NOW}AOlindeby|AAc3|AC|AD|"],
        [f"24YYYY          001{NOW}AOlindeby|AAc3|AEClass 4B|BLY|AFThe card has expired|PA20261119    235900|PCclass|"],
    ),
    "borrow and return": (
        [
            f"11NN{NOW}{' ' * 18}AOlindeby|AAc1|ABb1|AC|AD1234|",
            f"17{NOW}AOlindeby|ABb1|",
            f"63001{NOW}  Y       AOlindeby|AAc1|AC|",
            f"09N{NOW}{NOW}APmain|AOlindeby|ABb1|AC|",
        ],
        [
            f"121NNY{NOW}AOlindeby|AAc1|ABb1|AJOne book|AH20261218    235900|CK001|",
            f"18040201{NOW}CF0|AH20261218    235900|ABb1|AJOne book|BGmain|CK001|AQmain|APmain|CRbook|",
            f"64              001{NOW}000000000001000000000000AOlindeby|AAc1|AEReader One|BZ0002|CB0004|BLY|CC100|AUb1|PCadult|",
            f"101YNN{NOW}AOlindeby|ABb1|AQmain|AJOne book|CRbook|",
        ],
    ),
    "renew one and all": (
        [
            f"11NN{NOW}{' ' * 18}AOlindeby|AAc1|ABb1|AC|",
            f"29NN{NOW}{' ' * 18}AOlindeby|AAc1|ABb1|",
            f"65{NOW}AOlindeby|AAc1|",
        ],
        [
            f"121NNY{NOW}AOlindeby|AAc1|ABb1|AJOne book|AH20261218    235900|CK001|",
            f"301YNN{NOW}AOlindeby|AAc1|ABb1|AJOne book|AH20261218    235900|CK001|",
            f"66100010000{NOW}AOlindeby|BMb1|",
        ],
    ),
    "hold, and what the next return tells": (
        [
            f"15+{NOW}BSnorth|AOlindeby|AAc2|ABb1|",
            f"09N{NOW}{NOW}APmain|AOlindeby|ABb1|AC|",
            f"63001{NOW}          AOlindeby|AAc2|AC|",
            f"15-{NOW}AOlindeby|AAc2|ABb1|",
        ],
        [
            f"161N{NOW}BR1|BSnorth|AOlindeby|AAc2|ABb1|",
            f"101YNY{NOW}AOlindeby|ABb1|AQmain|AJOne book|AFSomebody waits for it: north|CRbook|CTnorth|CV02|CYp2|DAReader Two|",
            f"64              001{NOW}000000000000000000000001AOlindeby|AAc2|AEReader Two|BZ0002|CB0004|BLY|CC100|PCchild|",
            f"161N{NOW}AOlindeby|AAc2|ABb1|",
        ],
    ),
    "pay": (
        [f"37{NOW}0100DKKBV5.00|AOlindeby|AAc1|BKT7|"],
        [f"38Y{NOW}AOlindeby|AAc1|BKT7|AFToo much paid: ask the staff|"],
    ),
    "note on an item": (
        [f"19{NOW}AOlindeby|ABb1|CHworn|"],
        [f"201{NOW}ABb1|AJOne book|CHworn|"],
    ),
    "enable and end of session": (
        [f"25{NOW}AOlindeby|AAc1|AC|AD1234|", f"35{NOW}AOlindeby|AAc1|AC|"],
        [f"26              001{NOW}AOlindeby|AAc1|AEReader One|BLY|CQY|", f"36Y{NOW}AOlindeby|AAc1|"],
    ),
    "a card is not blocked where the profile does not say so": (
        [f"01Y{NOW}AOlindeby|ALswallowed|AAc1|AC|"],
        [f"24YYYY          000{NOW}AOlindeby|AAc1|AE|BLN|AFThis machine cannot do that|"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "answers"), CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_conversations(kiosk: Raw, lines: list[str], answers: list[str]) -> None:
    found = [kiosk.ask(line) for line in lines]
    assert [_comparable(line) for line in found] == [_comparable(line) for line in answers]


def _comparable(line: str) -> tuple[str, dict[str, str], dict[str, list[str]]]:
    """What is said, field by field; the order of fields is the codec's own matter and tested there."""
    parsed = parse(line)
    return parsed.code, parsed.fixed, {code: parsed.every(code) for code in parsed.fields}


def test_a_card_is_blocked_and_the_answer_is_its_status(library: Embedded, clock: Clock) -> None:
    every = Profile.model_validate({"policy": {"messages": ["01", "23", "25"]}})
    with running(library, now=clock, profile=every) as server, Raw(server.port) as kiosk:
        kiosk.log_in()
        status = parse(kiosk.ask(f"01Y{NOW}AOlindeby|ALswallowed|AAc1|AC|"))
        assert (status.code, status.fixed["patron status"][:4], status.fields["BL"]) == ("24", "YYYY", "Y")
        assert status.fields["AF"] == "The card was kept by a machine: ask the staff"
        assert parse(kiosk.ask(f"25{NOW}AOlindeby|AAc1|AC|AD1234|")).fixed["patron status"].strip() == ""
        assert parse(kiosk.ask(f"11NN{NOW}{NOW}AOx|AAc1|ABb1|AC|")).fields["AF"] == "This machine cannot do that"


def test_every_list_of_the_summary_is_answered_and_can_be_paged(kiosk: Raw, library: Embedded, clock: Clock) -> None:
    library.store.fill("fee", [{"fee": "f1", "patron": "p1", "outstanding": 1050, "title": "Late"}])
    library.store.fill("hold", [{"hold": "h1", "patron": "p1", "title_id": "t9", "placed": 1}])
    library.store.fill("hold", [{"hold": "h2", "patron": "p1", "title_id": "t8", "placed": 1, "item": "x9", "ready": 1}])
    for barcode in ("b1", "b2", "d1"):
        assert _borrow(kiosk, barcode).fixed["ok"] == "1"
    clock.on(days=10)

    def listed(place: int, more: str = "") -> Parsed:
        summary = " " * place + "Y" + " " * (9 - place)
        return parse(kiosk.ask(f"63001{NOW}{summary}AOlindeby|AAc1|AC|{more}"))

    found = {code: listed(place).every(code) for place, code in enumerate(("AS", "AT", "AU", "AV", "BU", "CD"))}
    assert found == {"AS": ["x9"], "AT": ["d1"], "AU": ["b1", "b2", "d1"], "AV": ["Late 10.50 DKK"], "BU": [], "CD": ["t9"]}
    assert listed(2, "BP2|BQ3|").every("AU") == ["b2", "d1"]
    assert listed(2, "BP9|BQ3|").every("AU") == []
    assert listed(2, "BPx|BQ|").every("AU") == ["b1", "b2", "d1"]
    counts = listed(0).fixed
    assert {name: int(value) for name, value in counts.items() if name.endswith("count") or name == "unavailable holds"} == {
        "hold items count": 1, "overdue items count": 1, "charged items count": 3, "fine items count": 1, "recall items count": 0,
        "unavailable holds count": 1,
    }  # fmt: skip


@pytest.mark.parametrize("amount", ["1E+999990", "1e-999999", "9" * 9000, "1000001", "0.001", "-5", "NaN", "sNaN", "five", ""])
def test_what_is_no_amount_is_refused_at_once(kiosk: Raw, library: Embedded, amount: str) -> None:
    library.store.fill("fee", [{"fee": "f1", "patron": "p1", "outstanding": 500, "title": "Late"}])
    answer = parse(kiosk.ask(f"37{NOW}0100DKKBV{amount}|AOlindeby|AAc1|AC|"))
    assert (answer.fixed["payment accepted"], library.store.get("fee", "f1")["outstanding"]) == ("N", 500)


def test_cancel_undoes_and_is_not_taken_for_a_return(kiosk: Raw, library: Embedded) -> None:
    assert _borrow(kiosk).fixed["ok"] == "1"
    undone = _borrow(kiosk, more="BIY|")
    assert (undone.code, undone.fixed["ok"]) == ("12", "1")
    assert library.store.get("item", "b1")["status"] == "available"
    _borrow(kiosk, "b2")
    assert _return(kiosk, "b2").fixed["ok"] == "1"
    assert _return(kiosk, "b2", "BIY|").fixed["ok"] == "1"
    assert library.store.get("loan", "b2")["patron"] == "p1"


def test_a_machine_that_was_alone_is_believed(kiosk: Raw, library: Embedded) -> None:
    alone = parse(kiosk.ask("11NY20261120    090000                  AOlindeby|AAc3|ABb1|AC|"))
    assert (alone.fixed["ok"], library.store.get("loan", "b1")["patron"]) == ("1", "p3")
    assert [row["reason"] for row in library.store.rows("conflict")] == ["CARD_EXPIRED"]


@pytest.mark.parametrize(("number", "words"), [("001", "Unknown item"), ("009", "Ukendt materiale"), ("000", "Unknown item")])
def test_the_machine_s_language_is_for_patrons_the_terminal_s_for_items(kiosk: Raw, number: str, words: str) -> None:
    told = parse(kiosk.ask(f"23{number}{NOW}AOlindeby|AAnobody|AC|AD|")).fields["AF"]
    assert told == {"009": "Ukendt kort"}.get(number, "Unknown card")
    assert parse(kiosk.ask(f"17{NOW}AOlindeby|ABnone|")).fields["AF"].startswith("Unknown item")


class TestAProfileSays:
    def ask(self, library: Embedded, clock: Clock, profile: dict[str, object], *lines: str) -> list[Parsed]:
        with running(library, now=clock, profile=Profile.model_validate(profile)) as server, Raw(server.port) as kiosk:
            kiosk.log_in()
            return [parse(kiosk.ask(line)) for line in lines]

    RETURN = f"09N{NOW}{NOW}APmain|AOlindeby|ABb1|AC|"
    STATUS = f"23001{NOW}AOlindeby|AAc1|AC|"

    def test_whether_an_item_that_was_not_lent_is_returned(self, library: Embedded, clock: Clock) -> None:
        taken, _ = self.ask(library, clock, {}, self.RETURN, self.STATUS)
        assert (taken.fixed["ok"], taken.fields["AF"], taken.fixed["alert"]) == ("1", "It was not on loan", "N")
        refused, _ = self.ask(library, clock, {"policy": {"returned_is_ok": False}}, self.RETURN.replace("1300", "1301"), self.STATUS)
        assert (refused.fixed["ok"], refused.fixed["alert"]) == ("0", "Y")

    def test_what_is_hidden_and_what_alone_is_sent(self, library: Embedded, clock: Clock) -> None:
        assert "AJ" not in self.ask(library, clock, {"output": {"hidden": ["AJ", "CR"]}}, self.RETURN)[0].fields
        assert set(self.ask(library, clock, {"output": {"allowed": ["BL"]}}, self.STATUS)[0].fields) == {"AO", "AA", "AE", "BL"}

    def test_the_bin_the_alert_and_the_destination(self, library: Embedded, clock: Clock) -> None:
        profile = {"sort_bins": [{"bin": "9", "route": "?*"}, {"bin": "3", "material": "book"}, {"bin": "1"}],
                   "alerts": {"type_on_success": True, "destination_always": True, "alert_with_type": False}}  # fmt: skip
        here, away = self.ask(library, clock, profile, self.RETURN, self.RETURN.replace("b1", "b2"))
        assert (here.fields["CL"], here.fields["CV"], here.fields["CT"]) == ("3", "00", "main")
        assert (away.fields["CL"], away.fields["CV"], away.fields["CT"], away.fixed["alert"]) == ("9", "04", "north", "N")

    def test_how_dates_names_and_messages_look(self, library: Embedded, clock: Clock) -> None:
        profile = {"output": {"due_format": "%d-%m-%Y", "name": "{category}: {name}", "rewrite": [["unknown", "UNKNOWN"], ["^Unknown", "No such"]],
                              "custom": {"XC": "{category}"}, "print_lines": True}}  # fmt: skip
        loan, status, unknown = self.ask(
            library, clock, profile, f"11NN{NOW}{NOW}AOx|AAc1|ABb1|AC|", self.STATUS, self.STATUS.replace("c1", "nobody")
        )
        assert loan.fields["AH"] == "18-12-2026"
        assert (status.fields["AE"], status.fields["XC"]) == ("adult: Reader One", "adult")
        assert (unknown.fields["AF"], unknown.fields["AG"]) == ("No such card", "No such card")

    def test_whether_a_card_alone_serves_where_no_pin_is_kept(self, library: Embedded, clock: Clock) -> None:
        lines = [f"23001{NOW}AOlindeby|AAc2|AC|AD9|", f"23001{NOW}AOlindeby|AAc2|AC|"]
        assert [one.fields.get("CQ") for one in self.ask(library, clock, {}, *lines)] == ["Y", None]
        lines += [f"11NN{NOW}{NOW}AOx|AAc2|ABb1|AC|AD9|", f"15+{NOW}AOx|AAc2|ABb1|AD9|"]
        status, bare, loan, hold = self.ask(library, clock, {"policy": {"card_alone": False}}, *lines)
        assert (status.fields["CQ"], bare.fields.get("CQ"), loan.fixed["ok"], hold.fixed["ok"]) == ("N", None, "0", "0")

    @pytest.mark.parametrize("policy", [{"card_alone": False}, {"overdue_blocks": True}, {"overpayment": False}])
    def test_a_wrong_pin_counts_once_for_a_message_however_often_the_back_end_is_asked_for_it(
        self, library: Embedded, clock: Clock, policy: dict[str, bool]
    ) -> None:
        library.store.fill("fee", [{"fee": "f1", "patron": "p1", "outstanding": 100}])
        asks = [f"11NN{NOW}{NOW}AOx|AAc1|ABb1|AC|", f"15+{NOW}AOx|AAc1|ABb1|", f"29NN{NOW}{NOW}AOx|AAc1|ABb1|AC|"]
        if "overpayment" in policy:
            asks = [f"37{NOW}0100DKKBV0.01|AOx|AAc1|AC|"] * 3
        *wrong, right = self.ask(library, clock, {"policy": policy}, *(f"{one}AD9|" for one in asks), f"{asks[0]}AD1234|")
        said = [one.fixed.get("ok") or one.fixed["payment accepted"] for one in (*wrong, right)]
        assert said in (["0", "0", "0", "1"], ["N", "N", "N", "Y"])  # the fifth wrong one would have locked the card here

    def test_a_wrong_pin_of_a_card_that_is_to_be_let_go_counts_once(self, library: Embedded, clock: Clock) -> None:
        lines = [f"25{NOW}AOx|AAc1|AC|AD9|"] * 3
        *_, right = self.ask(library, clock, {}, *lines, f"{self.STATUS}AD1234|")
        assert right.fields["CQ"] == "Y"

    def test_whether_a_birth_date_is_told(self, library: Embedded, clock: Clock) -> None:
        assert "PB" not in self.ask(library, clock, {}, self.STATUS)[0].fields
        assert self.ask(library, clock, {"output": {"birth_date": True}}, self.STATUS)[0].fields["PB"] == "19800501"

    def test_that_every_loan_needs_a_pin(self, library: Embedded, clock: Clock) -> None:
        loan, status, right = self.ask(
            library,
            clock,
            {"policy": {"pin": "always"}},
            f"11NN{NOW}{NOW}AOx|AAc1|ABb1|AC|",
            self.STATUS,
            f"11NN{NOW}{NOW}AOx|AAc1|ABb1|AC|AD1234|",
        )
        assert (loan.fixed["ok"], loan.fields["AF"], status.fields["CQ"], right.fixed["ok"]) == ("0", "Wrong PIN", "N", "1")

    def test_that_overdue_loans_and_waiting_holds_stop_a_machine(self, library: Embedded, clock: Clock) -> None:
        library.store.fill("loan", [{"item": "b2", "patron": "p1", "loaned_at": 1, "due": 2}])
        library.store.fill("hold", [{"hold": "h1", "patron": "p2", "title_id": "t1", "placed": 1}])
        profile = {"policy": {"overdue_blocks": True, "held_is_not_returned": True}}
        loan, status, back = self.ask(library, clock, profile, f"11NN{NOW}{NOW}AOx|AAc1|ABd1|AC|", self.STATUS, self.RETURN)
        assert (loan.fixed["ok"], loan.fields["AF"]) == ("0", "You have something overdue")
        assert status.fixed["patron status"] == "YYYY  Y       "
        assert (back.fixed["ok"], back.fields["AF"]) == ("0", "It is set aside for another")
