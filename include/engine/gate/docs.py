"""A verdict as Great Expectations' own Data Docs page, made to work with no net: nothing is fetched, and no script runs.

The page is made from the verdict's figures (there is no value of a row in them), rendered by Great Expectations, and then freed of the
style sheets, scripts and images that it takes from content delivery networks; a small style sheet of its own stands in their place.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view import view
from lxml import html

from include.engine.contract.model import Contract
from include.engine.contract.suite import suite
from include.engine.gate.result import RuleResult, Verdict

STYLE = Path(__file__).with_name("docs.css")
#: What a page without net and scripts has no use for: the parts that fetch, and those that only a script fills
DEAD = "//script|//link|//img|//style|//button|//form|//iframe|//nav|//footer|//*[contains(@class,'modal')]|//*[@class='sticky']"
NO_EXCEPTION = {"raised_exception": False, "exception_message": None, "exception_traceback": None}


def data_docs(contract: Contract, verdict: Verdict, *, delivery: str, today: date, at: datetime) -> str:
    """The page, self-contained. `today` as the gate had it, `at` the moment of the verdict."""
    renderer: Any = ValidationResultsPageRenderer(run_info_at_end=True)
    page = renderer.render(validation_result(contract, verdict, delivery=delivery, today=today, at=at))
    rendered: Any = view.DefaultJinjaPageView()
    return offline(rendered.render(page), title=f"{contract.title} · {delivery}")


def validation_result(
    contract: Contract, verdict: Verdict, *, delivery: str, today: date, at: datetime
) -> ExpectationSuiteValidationResult:
    """The verdict's row rules as Great Expectations would report them for one frame of the whole delivery."""
    found = {result.rule: result for result in verdict.results}
    results: list[Any] = [_result(one, found[one.meta["rule"]], verdict) for one in suite(contract, today).expectations if one.meta]
    good = sum(bool(result.success) for result in results)
    return ExpectationSuiteValidationResult(
        success=verdict.passed,
        results=results,
        suite_name=f"{contract.id} {contract.version}",
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": good,
            "unsuccessful_expectations": len(results) - good,
            "success_percent": 100 * good / len(results) if results else None,
        },
        meta={
            "great_expectations_version": gx.__version__,
            "run_id": {"run_name": delivery, "run_time": at.isoformat()},
            "batch_kwargs": {"data_asset_name": contract.table},
        },
    )


def _result(expectation: Any, result: RuleResult, verdict: Verdict) -> ExpectationValidationResult:
    missing = verdict.rows_in - result.checked
    figures = {
        "element_count": verdict.rows_in,
        "unexpected_count": result.failed,
        "unexpected_percent": 100 * result.failed / result.checked if result.checked else 0.0,
        "missing_count": missing,
        "missing_percent": 100 * missing / verdict.rows_in if verdict.rows_in else 0.0,
    }
    return ExpectationValidationResult(
        success=result.passed, expectation_config=expectation.configuration, result=figures, exception_info=NO_EXCEPTION
    )


def offline(page: str, *, title: str) -> str:
    """The page without anything that is fetched or run, and with a style of its own."""
    tree: Any = html.document_fromstring(page)
    tree.set("lang", "en")
    for node in tree.xpath(DEAD):
        if node.getparent() is not None:
            node.drop_tree()
    for node in tree.xpath("//*[@style]"):
        if "url(" in node.get("style"):
            del node.attrib["style"]
    for link in tree.xpath("//a[not(starts-with(@href, '#'))]"):
        link.drop_tag()
    for heading in tree.xpath("//head/title"):
        heading.text = title
    style = html.Element("style")
    style.text = STYLE.read_text(encoding="utf-8")
    tree.head.append(style)
    return "<!doctype html>\n" + str(html.tostring(tree, encoding="unicode"))
