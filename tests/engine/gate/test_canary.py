"""No identity number and no card number gets out of a gate: not in results, words, errors, logs or Data Docs."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime

import pytest

from include.engine.contract import load
from include.engine.contract.suite import suite
from include.engine.gate import fingerprint, judge
from include.engine.gate.docs import data_docs, validation_result
from include.engine.gate.frame import columns_of, frame
from include.engine.gate.gate import Gate
from tests.engine.gate.loans import TODAY, batch, loan

CPR, CARD, NAME, MAIL = "010190-1234", "2100004711", "Karoline Mathilde", "karoline.mathilde(at)lindeby.example"
CANARIES = (CPR, CPR.replace("-", ""), CARD, NAME, "Karoline", MAIL, "karoline")
TRUTHS = dict.fromkeys(("institution", "protected", "blocked", "deleted"), False)


def patron(number: int, **other: object) -> dict[str, object]:
    source = {"_member": "", "_record": number, "_offset": 0, "_length": -1}
    who = {"national_id": f"{CPR}x", "card_numbers": [CARD], "name": NAME, "email": MAIL, "first_name": NAME}
    return {**source, **TRUTHS, **who, "patron_id": CPR.replace("-", ""), "merged_into": CPR.replace("-", ""), **other}


@pytest.mark.parametrize(
    ("contract", "rows"),
    [
        ("ils_patron", [patron(1), patron(2, birth_date=date(2030, 1, 1), gender=NAME), patron(3, merged_into=None)]),
        (
            "ils_loan",  # a shifted row: numbers and names in columns that are public
            [
                loan(1, kind=CPR, card_number=CARD),
                loan(2, event=CARD),
                loan(3, kind=NAME),
                loan(4, kind=CPR.replace("-", "")),
                loan(5, kind=MAIL),
            ],
        ),
        (
            "ils_fee",
            [{**loan(1), "fee_id": CPR, "kind": CARD, "amount": -1, "outstanding": 2100004711, "currency": NAME, "incurred_on": TODAY}] * 2,
        ),
        (
            "ils_bibliographic",
            [{**loan(1), "control_number": CPR, "agency": CARD, "isbn": [CARD], "issn": [CPR], "language": CPR, "format": CARD}] * 2,
        ),
    ],
)
def test_a_canary_is_in_no_result_log_message_or_page(
    contract: str, rows: list[dict[str, object]], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    judged = load(contract)
    gate = Gate(judged, today=TODAY, delivery="lindeby__x")
    split = gate.split(batch(*rows, contract=judged))
    verdict = gate.verdict()
    assert verdict.quarantined + verdict.warnings > 0
    at = datetime(2026, 11, 21, 6, tzinfo=UTC)
    page = data_docs(judged, verdict, delivery="lindeby__x", today=TODAY, at=at)
    result = str(validation_result(judged, verdict, delivery="lindeby__x", today=TODAY, at=at).to_json_dict())
    captured = capfd.readouterr()
    samples = f"{verdict.samples.to_pylist()}{verdict.late.to_pylist()}{split.set_aside.to_pylist()}"
    for canary in CANARIES:
        for where, text in {
            "words": samples,
            "verdict": str(verdict),
            "page": page,
            "result": result,
            "log": caplog.text,
            "output": captured.out + captured.err,
        }.items():
            assert canary not in text, f"{canary} in {where}"


def test_great_expectations_own_answer_holds_no_value() -> None:
    contract = load("ils_patron")
    rows = batch(patron(1), patron(2), contract=contract)
    made = frame(rows, contract, columns_of(contract.rules))
    made.attrs[fingerprint.ATTRIBUTE] = "x"
    definition = judge._batch_definition().get_batch(batch_parameters={"dataframe": made})
    answer = str(definition.validate(suite(contract, TODAY), result_format=judge.RESULT_FORMAT).to_json_dict())
    assert "unexpected_index_list" in answer
    for canary in CANARIES:
        assert canary not in answer


def test_the_canary_would_be_seen_in_results_as_shipped() -> None:
    contract = load("ils_patron")
    made = frame(batch(patron(1), contract=contract), contract, columns_of(contract.rules))
    definition = judge._batch_definition().get_batch(batch_parameters={"dataframe": made})
    answer = str(definition.validate(suite(contract, TODAY), result_format="BASIC").to_json_dict())
    assert CPR in answer
