"""A partner's YAML: what is right is read, what is wrong is named by file, line and what is allowed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import model_validator

from connectors import flow_models
from include.engine.partner.loading import load_partner, load_partners, schema
from include.engine.partner.settings import InboxFlow, Partner, spec_for

GOOD = """\
name: Lindeby Biblioteker
isil: DK-799001
timezone: Europe/Copenhagen
language: da
flows:
  ils_import:
    profile: cicero
    inbox: file:inbox/lindeby
    ready: {stable_for: 30s}
    deliveries:
      - {table: bibliographic, files: "bib_*", mode: full, expected: "sunday 04:00"}
      - {table: loan, files: "loans_*", mode: append, loans: events, records: 5000..40000}
"""


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str, name: str = "lindeby"):
        file = tmp_path / f"{name}.yaml"
        file.write_text(text, encoding="utf-8")
        return load_partner(file, flow_models())

    return write


def test_a_good_file_is_read_and_its_id_is_the_files_name(written) -> None:
    partner = written(GOOD)
    assert isinstance(partner, Partner)
    assert (partner.id, partner.status) == ("lindeby", "test")
    flow = partner.flows["ils_import"]
    assert isinstance(flow, InboxFlow)
    assert flow.deliveries[1].records == (5000, 40000)
    assert flow.deliveries[0].expected == "0 4 * * 0"


def test_the_first_matching_glob_counts_whatever_the_letters_case(written) -> None:
    flow = written(GOOD).flows["ils_import"]
    assert spec_for(flow, "LOANS_2026.csv").table == "loan"
    assert spec_for(flow, "notes.txt") is None


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("timezone: Europe/Copenhagen", "timezone: Europe/Kobenhavn"), 3, "no IANA time zone"),
        (("profile: cicero", "profil: cicero"), 7, "did you mean 'profile'?"),
        (("profile: cicero", "profil: cicero"), 6, "flows.ils_import.profile: is missing"),
        (("stable_for: 30s", "stable_for: soon"), 9, "no length of time"),
        (("loans: events, ", ""), 12, "a delivery of loans says loans"),
        (("5000..40000", "40000..5000"), 12, "no range"),
        (("table: bibliographic", "table: books"), 11, "'bibliographic'"),
        (("sunday 04:00", "now and then"), 11, "no schedule"),
        (("ils_import:", "ils_imports:"), 6, "is no flow; there are:"),
        (("language: da", "language: da\nlanguage: sv"), 5, "a second time"),
        (("name: Lindeby", "name: [Lindeby"), 2, "not YAML"),
        (("stable_for: 30s", "done_file: done"), 9, "must hold {name}"),
        (("isil: DK-799001", "isil: 799001"), 2, "isil"),
    ],
)
def test_a_mistake_names_its_line_and_what_is_allowed(written, change, line, words) -> None:
    mistakes = written(GOOD.replace(*change))
    assert any(mistake.line == line and words in mistake.message for mistake in mistakes), [str(mistake) for mistake in mistakes]
    assert all(mistake.file == "lindeby.yaml" for mistake in mistakes)


def test_text_that_is_no_mapping_or_not_utf8_is_refused_in_words(tmp_path: Path, written) -> None:
    assert "a mapping" in written("- a\n- b\n")[0].message
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: Nørreby\n".encode("latin-1"))
    assert "not UTF-8" in load_partner(latin, flow_models())[0].message


def test_a_mistake_disables_that_partner_alone(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD.replace("timezone", "timezome"))
    found = load_partners(tmp_path, flow_models())
    assert list(found.partners) == ["good"]
    assert {mistake.partner for mistake in found.mistakes} == {"bad"}


@pytest.mark.parametrize(
    "text", ["since: 2026-02-31\n", "? [a, b]\n: 1\n", "note: !!python/object:os.system x\n", "flows: &x\n  ils_import: *x\n"]
)
def test_nothing_that_stands_in_a_file_stops_the_other_partners(tmp_path: Path, text: str) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text("name: Bad\n" + text)
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    found = load_partners(tmp_path, flow_models())
    assert list(found.partners) == ["good"]
    assert [(mistake.partner, mistake.line) for mistake in found.mistakes] == [("bad", 2), ("gone", 1)]


def test_a_period_beyond_any_calendar_is_a_mistake_like_any_other(written) -> None:
    [mistake] = written(GOOD + "retention: {landed: 99999999999 days}\n")
    assert (mistake.line, "at most 36500 days" in mistake.message) == (13, True)


def test_a_check_that_breaks_puts_out_that_partner_alone_and_the_log_has_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(InboxFlow):
        @model_validator(mode="after")
        def _breaks(self) -> Broken:
            raise KeyError("a fault of ours")

    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(
        GOOD.replace("ils_import", "broken").replace("    profile: cicero\n", "").replace("loans: events, ", "")
    )
    found = load_partners(tmp_path, {**flow_models(), "broken": Broken})
    assert list(found.partners) == ["good"]
    assert [(mistake.partner, "KeyError" in mistake.message) for mistake in found.mistakes] == [("bad", True)]
    assert "in _breaks)" in caplog.text and "a fault of ours" not in caplog.text


def test_two_flows_that_watch_one_inbox_are_told_of_unless_one_is_switched_off(written) -> None:
    lists = 'crm_activities: {inbox: file:inbox/lindeby/, enabled: true, deliveries: [{table: crm_activity, files: "visits_*"}]}'
    [mistake] = written(f"{GOOD}  {lists}\n")
    assert (mistake.line, mistake.file) == (5, "lindeby.yaml")
    assert "ils_import and crm_activities watch the same inbox" in mistake.message
    assert isinstance(written(f"{GOOD}  {lists}\n".replace("enabled: true", "enabled: false")), Partner)
    assert isinstance(written(f"{GOOD}  {lists}\n".replace("inbox/lindeby/,", "inbox/lindeby/lists,")), Partner)


def test_a_longer_patron_link_needs_a_legal_basis_in_words(written) -> None:
    mistakes = written(GOOD + "retention: {loan_patron_link: 90 days}\n")
    assert "legal_basis" in mistakes[0].message
    assert isinstance(written(GOOD + "retention: {loan_patron_link: 90 days, legal_basis: the patron asked for it}\n"), Partner)


def test_the_schema_for_editors_knows_every_flow_and_its_fields() -> None:
    made = schema(flow_models())
    assert "profile" in json.dumps(made["properties"]["flows"]["properties"]["ils_import"])
    assert "id" not in made["properties"]


def test_the_schema_that_editors_use_is_the_one_that_the_code_makes() -> None:
    kept = Path(__file__).parents[3] / "include" / "partners" / "partner.schema.json"
    assert json.loads(kept.read_text()) == schema(flow_models()), "make schema"
