"""The other override of Great Expectations: what one validation works out again and again is worked out once.

As shipped, each rule's configuration is made anew from its expectation some sixty times a validation, and the expectation from its
configuration six times; each metric's name is an md5 over JSON of the same few words, fifty times a rule; and what a metric needs is followed
down to the table's columns anew from each metric that needs it. On a delivery of a few rows that is more than half of the gate's time. Within
`remembering()` each of the four is kept by what it was made from; at its end everything is forgotten, and outside of it Great Expectations
does as shipped. See docs/decisions/gate-fingerprint.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import local
from typing import Any

from great_expectations.core.id_dict import IDDict
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.validator.validation_graph import ValidationGraph

_configuration = Expectation.__dict__.get("configuration")
_to_domain_obj = ExpectationConfiguration.__dict__.get("to_domain_obj")
_to_id = IDDict.__dict__.get("to_id")
_follow = ValidationGraph.__dict__.get("build_metric_dependency_graph")


class _Kept(local):
    """Of this thread; None outside of a validation. What is kept by an object's id keeps the object too: no other can take its id."""

    memo: dict[Any, Any] | None = None


_kept = _Kept()


@contextmanager
def remembering() -> Iterator[None]:
    """For one validation, in this thread. Not for validations within validations."""
    _kept.memo = {}
    try:
        yield
    finally:
        _kept.memo = None


def _once(kind: str, made: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`made` of an object, once for each object."""

    def remembered(self: Any) -> Any:
        if _kept.memo is None:
            return made(self)
        found = _kept.memo.get((kind, id(self)))
        if found is None:
            found = _kept.memo[kind, id(self)] = (self, made(self))
        return found[1]

    return remembered


def _id_of(self: Any, id_keys: Any = None, id_ignore_keys: Any = None) -> Any:
    """A dictionary's id, by its content: 1, 1.0 and True are three contents, as they are in JSON."""
    assert _to_id is not None
    if _kept.memo is None or id_keys is not None or id_ignore_keys is not None or len(self) < 2:
        return _to_id(self, id_keys, id_ignore_keys)
    key = (type(self), *((name, type(value), value) for name, value in self.items()))
    try:
        found = _kept.memo.get(key)
    except TypeError:  # a list has no hash
        return _to_id(self)
    if found is None:
        found = _kept.memo[key] = _to_id(self)
    return found


def _followed(self: Any, metric_configuration: Any, runtime_configuration: Any = None) -> None:
    """Adds a metric and all that it needs to a graph. A metric's id is fixed when it is made; two of one id need the same."""
    assert _follow is not None
    if _kept.memo is None:
        _follow(self, metric_configuration, runtime_configuration)
        return
    key = ("graph", id(self._execution_engine), id(runtime_configuration), metric_configuration.id)
    found = _kept.memo.get(key)
    if found is None:
        below = ValidationGraph(self._execution_engine)
        _follow(below, metric_configuration, runtime_configuration)
        found = _kept.memo[key] = (metric_configuration, below.edges, self._execution_engine, runtime_configuration)
    else:
        self.set_metric_configuration_default_kwargs_if_absent(metric_configuration)
        metric_configuration.metric_dependencies = found[0].metric_dependencies
    for edge in found[1]:
        self.add(edge)


def install() -> None:
    """Puts the four in the place of Great Expectations' own, in this process. Harmless when done twice.

    RuntimeError when this release of Great Expectations has one of them no more: then the override must be looked at again.
    """
    shipped = _configuration.fget if isinstance(_configuration, property) else None
    if shipped is None or _to_domain_obj is None or _to_id is None or _follow is None:
        raise RuntimeError("Great Expectations makes its configurations in another way now: see docs/decisions/gate-fingerprint.md")
    for owner, name, ours in (
        (Expectation, "configuration", property(_once("configuration", shipped))),
        (ExpectationConfiguration, "to_domain_obj", _once("expectation", _to_domain_obj)),
        (IDDict, "to_id", _id_of),
        (ValidationGraph, "build_metric_dependency_graph", _followed),
    ):
        setattr(owner, name, ours)
