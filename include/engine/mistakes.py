"""What is wrong with settings, in words: where it stands in the file, and what is allowed there. Values are never repeated: some are secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

Place = tuple[Any, ...]
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
"""What pydantic calls a name that a model, and one that a dataclass, does not have."""


def found(error: ValidationError, lines: dict[Place, int], model: type[BaseModel], prefix: Place = ()) -> Iterator[tuple[int, str]]:
    """Line (from 1) and words of each mistake. `lines` are those of the file, `prefix` is where in it the model begins."""
    for problem in error.errors(include_url=False):
        place = (*prefix, *problem["loc"])
        path = ".".join(str(part) for part in place)
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] in _UNKNOWN:
            allowed = _names(model, problem["loc"][:-1])
            near = get_close_matches(str(problem["loc"][-1]), allowed, 1)
            message = f"is not known here{f'; did you mean {near[0]!r}?' if near else ''} allowed: {listed(allowed)}"
        elif problem["type"] == "missing":
            message = "is missing"
        yield line_of(lines, place), f"{path}: {message}" if path else message


def lines_of(node: yaml.Node | None) -> dict[Place, int]:
    """The line (from 1) of everything in a YAML document, by the keys and numbers that lead to it."""
    return dict(_lines(node, ())) if node is not None else {}


def line_of(lines: dict[Place, int], place: Place) -> int:
    """The line of the deepest part of `place` that the file has."""
    while place not in lines and place:
        place = place[:-1]
    return lines.get(place, 1)


def listed(names: Iterable[str]) -> str:
    """Names in order, for an error."""
    return ", ".join(sorted(names)) or "nothing"


def _names(model: type[BaseModel], loc: Place) -> list[str]:
    """The field names allowed at `loc`: follows models, and the models inside tuples, unions and mappings."""
    current: Any = model
    keyed = False
    for part in loc:
        if isinstance(part, int) or keyed:
            keyed = False
            continue
        info = _fields(current).get(part)
        if info is None:
            return []
        keyed = get_origin(info.annotation) is dict
        current = next(iter(_models(info.annotation)), None)
    return list(_fields(current))


def _fields(shape: Any) -> dict[str, FieldInfo]:
    """The fields of a model or of one of pydantic's dataclasses; of anything else none."""
    found: dict[str, FieldInfo] = getattr(shape, "__pydantic_fields__", {})
    return found


def _models(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, type) and _fields(annotation):
        yield annotation
    for inner in get_args(annotation) or get_args(getattr(annotation, "__origin__", None)):
        yield from _models(inner)


def _lines(node: yaml.Node, path: Place) -> Iterator[tuple[Place, int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _lines(value, (*path, key.value))
            yield (*path, key.value), key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from _lines(value, (*path, number))
