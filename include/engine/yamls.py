"""YAML as every file of settings is read: safely, and by libyaml where PyYAML was built with it.

Dispatch reads every partner's file each minute, so the time counts. Whatever is wrong with a file is one exception with a line, so that a mistake
in one file can never stop the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from yaml.constructor import ConstructorError
from yaml.reader import ReaderError

from include.engine import mistakes
from include.engine.errors import SettingsError

Model = TypeVar("Model", bound=BaseModel)
MOST_NODES = 100_000
"""Aliases may make a short text a huge one; no settings file comes near this."""


class NotYaml(yaml.YAMLError):
    """The text is no YAML that can be used: `problem` on `line` (from 1)."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(f"line {line}: {problem}")
        self.problem, self.line = problem, line


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """What no Python value can be made of, such as 2026-02-31, is a mistake with a line as any other."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, TypeError) as error:
            raise ConstructorError(None, None, str(error), node.start_mark) from error


def read(text: str) -> tuple[yaml.Node | None, Any]:
    """The node and the value of the one document in `text`; None of both where it is empty. NotYaml says what is wrong, and where."""
    try:
        loader = _Loader(text)
        try:
            node: yaml.Node | None = loader.get_single_node()
            if node is None:
                return None, None
            _looked_over(node, {})
            return node, loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(str(error.problem or error.context), mark.line + 1 if mark else 1) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else 1
        raise NotYaml(error.reason, line) from None
    except RecursionError:
        raise NotYaml("it is nested too deeply", 1) from None


def load(text: str) -> Any:
    """The value of the one document in `text`; None where it is empty."""
    return read(text)[1]


@cache
def phrases(file: Path) -> dict[str, dict[str, str]]:
    """A file of words: two levels of names over each phrase. Read once a process."""
    found: dict[str, dict[str, str]] = load(file.read_text(encoding="utf-8"))
    return found


def settings(model: type[Model], path: Path, called: str) -> Model:
    """A settings file as its model; an empty file is all defaults. SettingsError says what of `called` ("the doors") cannot be used, and where."""
    node: yaml.Node | None = None
    try:
        node, content = read(path.read_text(encoding="utf-8"))
        return model.model_validate({} if content is None else content)
    except ValidationError as error:
        found = sorted(set(mistakes.found(error, mistakes.lines_of(node), model)))
        told = "; ".join(f"line {line}: {message}" for line, message in found)
        raise SettingsError(f"{called} cannot be used: {told}", where=str(path), do="Mend the file.") from None
    except (NotYaml, OSError, UnicodeDecodeError, LookupError) as error:
        raise SettingsError(f"{called} cannot be used: {error}", where=str(path), do="Mend the file.") from error


def _looked_over(node: yaml.Node, sizes: dict[int, int | None]) -> int:
    """How many nodes there are once every alias is followed. Refuses too many, an alias inside of what it names, and a key that stands twice:
    PyYAML takes the last one and says nothing."""
    known = sizes.get(id(node), 0)
    if known:
        return known
    if known is None:
        raise ConstructorError(None, None, "an alias stands inside of what it names", node.start_mark)
    sizes[id(node)] = None
    keys = set()
    count = 1
    for key, value in _parts(node):
        if key is not None:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in keys:
                    raise ConstructorError(None, None, f"{key.value!r} stands here a second time", key.start_mark)
                keys.add((key.tag, key.value))
            count += _looked_over(key, sizes)
        count += _looked_over(value, sizes)
    if count > MOST_NODES:
        raise ConstructorError(None, None, "its aliases make it too large", node.start_mark)
    sizes[id(node)] = count
    return count


def _parts(node: yaml.Node) -> Iterator[tuple[yaml.Node | None, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from node.value
    elif isinstance(node, yaml.SequenceNode):
        yield from ((None, value) for value in node.value)
