"""Partner YAML from disk: an error names file, line and what is allowed, and disables that partner alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from include.engine import yamls
from include.engine.partner.settings import FlowSettings, Partner

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
    lines = dict(_lines(node, ()))
    content["id"] = name
    mistakes: list[Mistake] = []
    raw_flows = content.get("flows") or {}
    shaped: dict[str, FlowSettings] = {}
    for flow, settings in raw_flows.items() if isinstance(raw_flows, dict) else ():
        model = flows.get(flow)
        if model is None:
            mistakes.append(Mistake(name, file.name, _line(lines, ("flows", flow)), f"{flow!r} is no flow; there are: {_list(flows)}"))
            continue
        try:
            shaped[flow] = model.model_validate(settings)
        except ValidationError as error:
            mistakes.extend(_mistakes(name, file.name, error, lines, ("flows", flow), model))
    try:
        partner = Partner.model_validate({**content, "flows": shaped if isinstance(raw_flows, dict) else raw_flows})
    except ValidationError as error:
        mistakes.extend(_mistakes(name, file.name, error, lines, (), Partner))
    return sorted(mistakes, key=lambda mistake: mistake.line) if mistakes else partner


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


def _mistakes(
    partner: str, file: str, error: ValidationError, lines: dict[tuple[Any, ...], int], prefix: tuple[Any, ...], model: type[BaseModel]
) -> Iterator[Mistake]:
    for problem in error.errors(include_url=False):
        place = (*prefix, *problem["loc"])
        path = ".".join(str(part) for part in place)
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            allowed = _names(model, problem["loc"][:-1])
            near = get_close_matches(str(problem["loc"][-1]), allowed, 1)
            message = f"is not known here{f'; did you mean {near[0]!r}?' if near else ''} allowed: {_list(allowed)}"
        elif problem["type"] == "missing":
            message = "is missing"
        yield Mistake(partner, file, _line(lines, place), f"{path}: {message}" if path else message)


def _names(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """The field names allowed at `loc`: follows models, and the models inside tuples and unions."""
    current: Any = model
    for part in loc:
        if isinstance(part, int):
            continue
        info = current.model_fields.get(part) if isinstance(current, type) and issubclass(current, BaseModel) else None
        if info is None:
            return []
        current = next(iter(_models(info.annotation)), None)
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()) or getattr(getattr(annotation, "__origin__", None), "__args__", ()):
        yield from _models(inner)


def _lines(node: yaml.Node, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, (*path, key.value))
            yield (*path, key.value), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _lines(value, (*path, number))


def _line(lines: dict[tuple[Any, ...], int], place: tuple[Any, ...]) -> int:
    """The line of the deepest part of `place` that the file has."""
    while place not in lines and place:
        place = place[:-1]
    return lines.get(place, 1)


def _list(names: Any) -> str:
    return ", ".join(sorted(names)) or "nothing"
