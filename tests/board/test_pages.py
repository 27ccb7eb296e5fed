"""What each page says of a lived-in installation, and what it does when somebody presses a button."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
import sqlalchemy as sa

from include.engine import clock
from include.engine.alerts.standing import UNREACHABLE_AFTER
from include.engine.delivery import NewDelivery, State
from include.engine.ledger import audit, claims, deliveries, history, inbox, pauses
from include.engine.ledger.schema import delivery as table
from include.engine.ledger.schema import quarantined, receipt
from plugins.board import csrf
from plugins.board.app import create
from plugins.board.reads import kiosks
from plugins.board.reads.life import steps
from tests.board.house import ENGINEER, SECRET, STAFF, STRANGER, BoardHouse, users


def text(page: str) -> str:
    """What is read of a page."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page.partition("<main")[2].partition("</main>")[0])))


def read(house: BoardHouse, path: str, name: str = ENGINEER, **headers: str) -> str:
    answer = house.browser(name, **headers).get(f"/bindery{path}")
    assert answer.status_code == 200, answer.text
    return text(answer.text)


# --- overview


def test_the_overview_shows_what_is_wrong_first_and_every_partner(house: BoardHouse) -> None:
    page = read(house, "/")
    assert page.index("What needs somebody") < page.index("Partners and flows")
    assert "Bibliotheek Molendal 3 mistakes in its settings: molendal.yaml, line " in page
    assert re.search(r"Havnsund Forskningsbibliotek people_import loans: the archive", page)
    assert "Lindeby Biblioteker" in page.partition("Partners and flows")[2]


def test_a_silent_partner_is_told_of_with_the_moment_on_its_own_clock(own_house: BoardHouse) -> None:
    yaml = own_house.engine.partners_folder / "tavsby.yaml"
    yaml.write_text(
        (own_house.engine.partners_folder / "havnsund.yaml")
        .read_text()
        .replace("Havnsund Forskningsbibliotek", "Tavsby")
        .replace("staff: [henrik]\n", "")
    )
    assert re.search(
        r"Tavsby people_import Expected by (today|yesterday) 00:01, not here, and never before: patrons_\*, loans_\*", read(own_house, "/")
    )
    pauses.pause(own_house.ledger, "tavsby", "", "erik")  # of what is paused nothing is expected
    assert "Expected by" not in read(own_house, "/").partition("Tavsby")[2].partition("Lindeby")[0]


def test_staff_see_an_overview_of_their_own_library_alone(house: BoardHouse) -> None:
    page = read(house, "/", STAFF)
    assert "Lindeby Biblioteker" in page and "Havnsund" not in page and "Molendal" not in page
    assert "No partner's settings name you yet" in read(house, "/", STRANGER)


def test_a_line_that_waits_long_and_one_that_hangs_are_told_of(own_house: BoardHouse) -> None:
    now = own_house.delivery("lindeby").seen_at
    for number, hours in ((1, 5), (2, 4)):
        at = now - timedelta(hours=hours)
        deliveries.see(own_house.ledger, NewDelivery(f"lindeby__item__{number}", "lindeby", "people_import", "item", at))
    claims.claim(own_house.ledger, "lindeby__item__1")
    with own_house.ledger.begin() as tx:
        tx.execute(sa.update(table).where(table.c.id == "lindeby__item__1").values(touched_at=now - timedelta(hours=5)))
    page = read(own_house, "/")
    assert "Lindeby Biblioteker people_import 1 delivery waits its turn" in page
    assert "1 at work, and nothing has happened for long" in page


@pytest.fixture
def sidecar(monkeypatch: pytest.MonkeyPatch) -> Iterator[http.server.HTTPServer]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            health = json.dumps({"online": True, "connections": 12, "pid": 1}).encode()
            metrics = b'# TYPE sip2_messages_total counter\nsip2_messages_total{terminal="a",message="11",status="ok"} 1203.0\n'
            self.wfile.write(health if self.path == "/health" else metrics)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(kiosks.SETTING, f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(kiosks, "PATIENCE", 60.0)
    yield server
    server.shutdown()
    server.server_close()


def test_kiosks_are_shown_where_the_sidecar_reports_and_missed_where_it_does_not(
    house: BoardHouse, sidecar: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = read(house, "/")
    assert "12 kiosks connected 1,203 answers since the start" in page
    assert "kiosks" not in read(house, "/", STAFF)
    monkeypatch.setenv(kiosks.SETTING, f"http://127.0.0.1:9 http://127.0.0.1:{sidecar.server_port}/")  # two libraries' sidecars
    page = read(house, "/")
    assert "The sidecar for kiosks does not answer at http://127.0.0.1:9." in page and "12 kiosks connected" in page


# --- deliveries


def test_a_delivery_has_its_balance_its_life_its_files_its_rules_and_its_receipt(house: BoardHouse) -> None:
    one = house.delivery("lindeby", table="patron")
    page = read(house, f"/deliveries/{one.id}")
    counts = one.counts
    assert f"{counts.in_} came in" in page
    for number, words in ((counts.published, "published"), (counts.quarantined, "set aside"), (counts.filtered, "left out on purpose")):
        assert f"{number} {words}" in page
    assert one.content_hash in page and one.path in page and "as it came, sealed" in page
    assert [
        name for name in ("Seen", "Its turn", "Receive and stage", "Check and bind", "Publish", "Acknowledge") if name not in page
    ] == []
    assert "ils_patron 1.0.0 on arrival" in page and "rules held" in page
    assert "Read the receipt" in page
    assert one.path in read(house, f"/deliveries/{one.id}/receipt")


def test_a_delivery_that_was_stopped_is_not_at_work_once_its_receipt_is_there(house: BoardHouse) -> None:
    one = house.delivery("havnsund", table="loan")
    assert (one.state, one.counts.in_) == (State.BLOCKED, 0)
    page = read(house, f"/deliveries/{one.id}")
    assert "Acknowledge" in page and "at work" not in page
    assert "No records were counted." in page and "counted yet" not in page


def test_the_receipt_is_on_its_way_until_it_is_written(own_house: BoardHouse) -> None:
    one = own_house.delivery("havnsund", table="loan")
    claims.take(own_house.ledger, one.id, "acknowledge")
    with own_house.ledger.begin() as tx:
        tx.execute(sa.delete(receipt).where(receipt.c.delivery_id == one.id))
    assert "at work" in read(own_house, f"/deliveries/{one.id}")


def test_a_small_file_has_its_size_once_and_a_large_one_its_bytes_too(own_house: BoardHouse) -> None:
    one = own_house.delivery("lindeby", table="patron")
    for size, shown in ((614, "Size 614 B Hash"), (39_383, "Size 39.4 kB (39,383 B) Hash")):
        with own_house.ledger.begin() as tx:
            tx.execute(sa.update(table).where(table.c.id == one.id).values(size=size))
        assert shown in read(own_house, f"/deliveries/{one.id}")


def test_the_bar_has_a_part_for_each_outcome_and_never_more_than_the_whole(house: BoardHouse) -> None:
    from plugins.board.pages.delivery import _bar

    bar = _bar({"published": 999_997, "quarantined": 1, "filtered": 2, "held": 0}, 1_000_000)
    assert [name for name, _, _ in bar] == ["published", "quarantined", "filtered"]
    assert all(width >= 0.7 for _, _, width in bar)
    assert sum(width for _, _, width in bar) == pytest.approx(100, abs=0.1)
    assert _bar({"published": 0}, 0) == []


def test_a_run_leads_to_its_delivery_also_one_that_a_person_started(house: BoardHouse) -> None:
    one = house.delivery("lindeby", table="loan")
    assert one.id in read(house, f"/run/people_import/{one.id}")
    started = create(lambda: house.engine, users, secret=SECRET, run_of=lambda dag, run: one.id if run == "manual__1" else None)
    own = BoardHouse(house.engine, started)
    assert one.id in read(own, "/run/people_import/manual__1")
    assert "/dags/people_import/runs/manual__1/tasks/gate" in own.browser().get("/bindery/run/people_import/manual__1").text
    other = own.browser().get("/bindery/run/dispatch/scheduled__1")
    assert other.status_code == 404 and "This run is no delivery" in other.text
    assert own.browser("henrik").get("/bindery/run/people_import/manual__1").status_code == 404


def test_tries_of_a_step_are_one_stretch_of_its_life(own_house: BoardHouse) -> None:
    deliveries.see(own_house.ledger, NewDelivery("x", "lindeby", "people_import", "item", own_house.delivery("lindeby").seen_at))
    claims.claim(own_house.ledger, "x")
    claims.take(own_house.ledger, "x", "receive")
    token = claims.take(own_house.ledger, "x", "receive")
    found = steps(deliveries.events(own_house.ledger, "x"))
    assert [(step.name, step.tries, step.state) for step in found] == [
        ("seen", 1, State.SEEN),
        ("claimed", 1, State.CLAIMED),
        ("receive", 2, None),
    ]
    claims.advance(own_house.ledger, token, State.STAGED)
    assert steps(deliveries.events(own_house.ledger, "x"))[-1].state == State.STAGED
    assert "2 tries" in read(own_house, "/deliveries/x")


def test_deliveries_are_found_by_partner_flow_and_state_page_by_page(own_house: BoardHouse) -> None:
    page = read(own_house, "/deliveries?partner=havnsund&state=stopped")
    assert "loans_1.zip" in page and "patrons_1.csv" not in page
    assert "No delivery fits." in read(own_house, "/deliveries?partner=lindeby&state=held")
    at = own_house.delivery("lindeby").seen_at
    deliveries.see_all(
        own_house.ledger, [NewDelivery(f"d{n:03}", "lindeby", "people_import", "item", at, path=f"items_{n:03}.csv") for n in range(120)]
    )
    seen: list[str] = []
    path: str | None = "/bindery/deliveries?partner=lindeby&state=seen"
    while path:
        body = own_house.browser().get(path).text
        seen += re.findall(r"items_\d+\.csv", body)
        path = next((unescape(link) for link in re.findall(r'href="([^"]*before=\d+[^"]*)"', body)), None)
    assert sorted(seen) == [f"items_{n:03}.csv" for n in range(120)]


def test_a_person_answers_a_delivery_that_stopped_and_it_is_in_the_audit(own_house: BoardHouse) -> None:
    one = own_house.delivery("havnsund", table="loan")
    assert one.state == State.BLOCKED
    answer = own_house.post(f"/deliveries/{one.id}/answer", say="dismiss")
    assert answer.status_code == 303 and answer.headers["location"] == f"/bindery/deliveries/{one.id}"
    assert deliveries.get(own_house.ledger, one.id).dismissed_by == ENGINEER
    assert [(entry.who, entry.action) for entry in audit.find(own_house.ledger, subject=one.id)] == [(ENGINEER, "dismiss")]
    assert own_house.post(f"/deliveries/{one.id}/answer", say="approve").status_code == 409
    assert own_house.post(f"/deliveries/{one.id}/answer", say="nonsense").status_code == 400
    done = own_house.delivery("lindeby", table="loan")
    again = own_house.post(f"/deliveries/{done.id}/answer", say="replay")
    made = deliveries.get(own_house.ledger, again.headers["location"].rpartition("/")[2])
    assert made.origin == done.id
    assert made.id in read(own_house, f"/deliveries/{done.id}") and done.id in read(own_house, f"/deliveries/{made.id}")


def test_staff_may_look_and_not_decide(own_house: BoardHouse) -> None:
    one = own_house.delivery("havnsund", table="loan")
    body = own_house.browser("henrik").get(f"/bindery/deliveries/{one.id}").text
    assert "Dismiss" not in body and one.message not in unescape(body)
    assert own_house.post(f"/deliveries/{one.id}/answer", "henrik", say="dismiss").status_code == 403
    assert own_house.post("/partners/havnsund/pause", "henrik").status_code == 403
    assert deliveries.get(own_house.ledger, one.id).dismissed_by is None


# --- contracts and partners


def test_a_contract_has_its_rules_its_rates_its_versions_and_a_document_that_needs_nothing(house: BoardHouse) -> None:
    assert "Patrons, as a library system exports them" in read(house, "/contracts")
    page = read(house, "/contracts/ils_patron")
    assert "1.0.0 in force now" in page and "Every row has patron_id." in page and "100 %" in page
    answer = house.browser().get("/bindery/contracts/ils_patron/document")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert not re.search(r'(src|href)="(?!#|https://)', answer.text) and "<script" not in answer.text
    assert house.browser().get("/bindery/contracts/..%2Fsecrets").status_code == 404


def test_data_docs_of_a_delivery_need_neither_net_nor_script(house: BoardHouse) -> None:
    one = house.delivery("lindeby", table="patron")
    answer = house.browser().get(f"/bindery/deliveries/{one.id}/docs/ils_patron?gate=incoming")
    assert answer.status_code == 200, answer.text
    assert one.id in answer.text and "patron_id" in answer.text
    assert not re.search(r"<script|<link|<img|https?://(?!www\.w3\.org)", answer.text)
    assert "sandbox" in answer.headers["content-security-policy"]


def test_a_delivery_whose_history_is_not_kept_any_more_says_so_and_has_what_stays(own_house: BoardHouse) -> None:
    one = own_house.delivery("lindeby", table="patron")
    with own_house.ledger.begin() as tx:
        tx.execute(sa.update(quarantined).values(state="discarded"))
    assert history.forget(own_house.ledger, clock.now() + timedelta(days=1), sealed=()) > 0
    page = read(own_house, f"/deliveries/{one.id}")
    assert "It is long over: its steps, what was set aside record by record, and the rules that held, are not kept any more." in page
    assert "rules held" not in page and "What became of the records" in page
    for path in ("/", "/deliveries", "/contracts", "/contracts/ils_patron", "/partners/lindeby", f"/deliveries/{one.id}/receipt"):
        assert read(own_house, path), path
    docs = own_house.browser().get(f"/bindery/deliveries/{one.id}/docs/ils_patron?gate=incoming")
    assert docs.status_code == 409 and "the rules that held are not kept any more" in text(docs.text)
    with own_house.ledger.begin() as tx:
        tx.execute(sa.delete(receipt).where(receipt.c.delivery_id == one.id))
    assert "The receipt is not kept any more." in read(own_house, f"/deliveries/{one.id}")


def test_a_partner_has_its_settings_its_mistakes_by_line_and_what_is_due(house: BoardHouse) -> None:
    page = read(house, "/partners/havnsund")
    assert "expected by" in page or "patrons_*" in page
    assert "they deliver it" in page and "Own staff henrik" in page
    assert "inbox: file:inbox/havnsund" in page
    broken = house.browser().get("/bindery/partners/molendal").text
    assert "molendal.yaml , line 7" in text(broken) and 'id="line-7" class="wrong"' in broken
    assert house.browser().get("/bindery/partners/..%2F..%2Fsecrets").status_code == 404
    assert house.browser().get("/bindery/partners/nobody").status_code == 404


def test_a_partner_is_paused_and_goes_on_and_both_are_in_the_audit(own_house: BoardHouse) -> None:
    assert own_house.post("/partners/lindeby/pause", flow="people_import").status_code == 303
    assert "Paused by erik" in read(own_house, "/partners/lindeby")
    assert own_house.post("/partners/lindeby/pause", flow="no_such_flow").status_code == 404
    assert own_house.post("/partners/nobody/pause").status_code == 404
    assert own_house.post("/partners/lindeby/resume", flow="people_import").status_code == 303
    assert [(one.who, one.action) for one in audit.find(own_house.ledger, subject="lindeby")] == [(ENGINEER, "resume"), (ENGINEER, "pause")]


def test_an_inbox_that_failed_before_its_flow_was_paused_stands_no_longer(own_house: BoardHouse) -> None:
    for flow in ("", "people_import"):
        for _ in range(UNREACHABLE_AFTER):
            inbox.look_failed(own_house.ledger, "lindeby", "people_import", "file:inbox/lindeby", "nobody answers", clock.now())
        failing = re.compile(r'class="stop">(?:(?!</span>).)*looks in a row have failed', re.DOTALL)
        assert failing.search(own_house.browser().get("/bindery/partners/lindeby").text)
        assert "The inbox could not be read" in _lindeby(own_house)
        own_house.post("/partners/lindeby/pause", flow=flow)
        assert "The inbox could not be read" not in _lindeby(own_house)
        page = own_house.browser().get("/bindery/partners/lindeby").text
        assert not failing.search(page) and "nobody answers" in page
        own_house.post("/partners/lindeby/resume", flow=flow)


def _lindeby(house: BoardHouse) -> str:
    return read(house, "/").partition("Partners and flows")[0]


# --- hostile content


HOSTILE = '<script>alert("x")</script>"><img src=x onerror=alert(1)>\u202egnp.exe{{7*7}}'


def test_markup_in_names_paths_and_messages_is_shown_as_text(own_house: BoardHouse) -> None:
    ledger, at = own_house.ledger, own_house.delivery("lindeby").seen_at
    deliveries.see(ledger, NewDelivery("evil", "lindeby", "people_import", "item", at, path=HOSTILE, source_uri=HOSTILE))
    claims.claim(ledger, "evil")
    token = claims.take(ledger, "evil", "receive")
    claims.advance(
        ledger, token, State.BLOCKED, reason="FILE_EMPTY", message=HOSTILE, filtered={HOSTILE: 3}, published={HOSTILE: {"added": 1}}
    )
    yaml = own_house.engine.partners_folder / "evil.yaml"
    yaml.write_text(f"name: {json.dumps(HOSTILE)}\ntimezone: Europe/Copenhagen\n# {HOSTILE}\nflows: {{}}\n")
    for path in ("/", "/deliveries", "/deliveries/evil", "/partners", "/partners/evil", f"/deliveries?partner={HOSTILE}", f"/{HOSTILE}"):
        body = own_house.browser().get(f"/bindery{path}").text
        assert "<script>alert" not in body and "<img" not in body and "\u202e" not in body and "49" not in re.findall(r"exe(\w+)", body), (
            path
        )
    assert "&lt;script&gt;alert" in own_house.browser().get("/bindery/deliveries/evil").text


def test_values_of_ten_megabytes_are_cut_and_the_page_stays_small(own_house: BoardHouse) -> None:
    ledger, at, huge = own_house.ledger, own_house.delivery("lindeby").seen_at, "x" * 10_000_000
    deliveries.see(ledger, NewDelivery("huge", "lindeby", "people_import", "item", at, path=huge))
    claims.claim(ledger, "huge")
    claims.advance(ledger, claims.take(ledger, "huge", "receive"), State.BLOCKED, reason="FILE_EMPTY", message=huge, filtered={huge: 1})
    (own_house.engine.partners_folder / "huge.yaml").write_text(f"name: Huge\ntimezone: Europe/Copenhagen\n# {huge}\nflows: {{}}\n")
    for path in ("/", "/deliveries", "/deliveries/huge", "/partners/huge"):
        answer = own_house.browser().get(f"/bindery{path}")
        assert answer.status_code == 200 and len(answer.text) < 500_000, path


def test_a_form_that_is_left_open_over_midnight_still_works_and_an_old_one_does_not(own_house: BoardHouse) -> None:
    for days, status in ((1, 303), (2, 403)):
        fields = {csrf.FIELD: csrf.token(SECRET, ENGINEER, days_ago=days), "flow": "people_import"}
        assert own_house.browser().post("/bindery/partners/lindeby/pause", data=fields).status_code == status


def test_what_goes_wrong_inside_is_not_told_to_the_browser_nor_to_the_log(house: BoardHouse, caplog: pytest.LogCaptureFixture) -> None:
    def broken():
        raise RuntimeError("the master key is hunter2")

    board = create(broken, users, secret=SECRET)
    answer = BoardHouse(house.engine, board).browser().get("/bindery/")
    assert answer.status_code == 500 and "hunter2" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "RuntimeError (" in caplog.text and "hunter2" not in caplog.text
