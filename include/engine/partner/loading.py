"""Partner YAML from disk: an error names file, line and what is allowed, and disables that partner alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from include.engine import mistakes, yamls
from include.engine.faults import told
from include.engine.partner.settings import FlowSettings, Partner

log = logging.getLogger("bindery")

FlowModels = Mapping[str, type[FlowSettings]]


@dataclass(frozen=True)
class Mistake:
    """Something in a partner's YAML that cannot be used: `line` counts from 1."""

    partner: str
    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Partners:
    """What a folder of partner YAML holds: those that can run, and what is wrong with the others."""

    partners: dict[str, Partner] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()


def load_partners(folder: Path, flows: FlowModels) -> Partners:
    """Every `*.yaml` of the folder; `flows` gives each flow its connector's shape."""
    good: dict[str, Partner] = {}
    bad: list[Mistake] = []
    for file in sorted(folder.glob("*.yaml")):
        found = load_partner(file, flows)
        if isinstance(found, Partner):
            good[found.id] = found
        else:
            bad.extend(found)
    return Partners(good, tuple(bad))


def load_partner(file: Path, flows: FlowModels) -> Partner | list[Mistake]:
    """The partner of one file, or every mistake in it."""
    try:
        return _read(file, flows)
    except Exception as error:  # a fault of ours in the check of some setting: it puts out this partner, and no other
        log.error("%s could not be checked: %s", file.name, told(error))
        return [Mistake(file.stem, file.name, 1, f"it could not be checked ({type(error).__name__}); the log of dispatch has more")]


def _read(file: Path, flows: FlowModels) -> Partner | list[Mistake]:
    name = file.stem
    try:
        node, content = yamls.read(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        return [Mistake(name, file.name, 1, "the file is not UTF-8 text")]
    except OSError as error:
        return [Mistake(name, file.name, 1, f"the file cannot be read: {error.strerror}")]
    except yamls.NotYaml as error:
        return [Mistake(name, file.name, error.line, f"not YAML: {error.problem}")]
    if node is None or not isinstance(content, dict):
        return [Mistake(name, file.name, 1, "a partner's file is a mapping that begins with 'name:'")]
    lines = mistakes.lines_of(node)
    content["id"] = name
    wrong: list[Mistake] = []

    def note(error: ValidationError, model: type[BaseModel], prefix: tuple[Any, ...]) -> None:
        wrong.extend(Mistake(name, file.name, line, message) for line, message in mistakes.found(error, lines, model, prefix))

    raw_flows = content.get("flows") or {}
    shaped: dict[str, FlowSettings] = {}
    for flow, settings in raw_flows.items() if isinstance(raw_flows, dict) else ():
        model = flows.get(flow)
        if model is None:
            line = mistakes.line_of(lines, ("flows", flow))
            wrong.append(Mistake(name, file.name, line, f"{flow!r} is no flow; there are: {mistakes.listed(flows)}"))
            continue
        try:
            shaped[flow] = model.model_validate(settings)
        except ValidationError as error:
            note(error, model, ("flows", flow))
    try:
        partner = Partner.model_validate({**content, "flows": shaped if isinstance(raw_flows, dict) else raw_flows})
    except ValidationError as error:
        note(error, Partner, ())
    return sorted(wrong, key=lambda mistake: mistake.line) if wrong else partner


def schema(flows: FlowModels) -> dict[str, Any]:
    """The JSON schema of a partner's YAML, for editors (`# yaml-language-server: $schema=...`)."""
    whole = Partner.model_json_schema(mode="validation")
    definitions = whole.setdefault("$defs", {})
    properties: dict[str, Any] = {}
    for flow, model in flows.items():
        part = model.model_json_schema(mode="validation")
        definitions.update(part.pop("$defs", {}))
        properties[flow] = part
    whole["properties"]["flows"] = {"type": "object", "properties": properties, "additionalProperties": False}
    whole["properties"].pop("id")
    whole["required"] = [name for name in whole["required"] if name != "id"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}
