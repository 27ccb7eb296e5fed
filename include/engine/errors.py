"""The one family of errors: what went wrong, where, and what to do about it.

Every error carries a `code` from `reasons/`, so that a receipt, a log line and the Airflow UI say the same in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping


class BinderyError(Exception):
    """What, where and what to do, in that order; `code` is a reason code of `reasons/`.

    `values` fill the placeholders of that reason's sentence, for the partner, who reads it in their own language.
    """

    code = "INTERNAL"

    def __init__(
        self, what: str, *, where: str = "", do: str = "", code: str | None = None, values: Mapping[str, object] | None = None
    ) -> None:
        self.what, self.where, self.do = what, where, do
        self.values = {name: value if isinstance(value, int) else str(value) for name, value in (values or {}).items()}
        if code is not None:
            self.code = code
        super().__init__(what, where, do, self.code)

    def __reduce__(self) -> tuple[object, ...]:
        """So that an error survives its way between two processes."""
        return _made_again, (type(self), self.what, self.where, self.do, self.code, self.values)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"{'' if self.what.endswith(('.', '!', '?', ':')) else '.'} {self.do}" if self.do else ""
        return f"{place}{self.what}{advice} [{self.code}]"


def _made_again(kind: type[BinderyError], what: str, where: str, do: str, code: str, values: dict[str, str | int]) -> BinderyError:
    return kind(what, where=where, do=do, code=code, values=values)


def _held_again(what: str, where: str, do: str, code: str, values: dict[str, str | int], shown: dict[str, object]) -> BinderyError:
    return Held(what, where=where, do=do, code=code, values=values, shown=shown)


class SettingsError(BinderyError):
    """A partner, profile, contract or environment setting that cannot be used."""

    code = "SETTINGS_INVALID"


class MissingCredential(BinderyError):
    """A connection or secret that is named but not there. `what` names it; its value is never shown."""

    code = "CREDENTIAL_MISSING"


class Refused(BinderyError):
    """A whole delivery that cannot be taken in as it is: the delivery ends as `blocked`, with this code on its receipt. No retry helps."""

    code = "DELIVERY_REFUSED"


class Held(BinderyError):
    """A delivery that a person must approve first: it ends as `held`.

    `shown` is what that person is to see beside the sentence, as plain JSON, with nobody's data in it (include/engine/approval.py).
    """

    code = "HELD_FOR_APPROVAL"

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        do: str = "",
        code: str | None = None,
        values: Mapping[str, object] | None = None,
        shown: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(what, where=where, do=do, code=code, values=values)
        self.shown = dict(shown or {})

    def __reduce__(self) -> tuple[object, ...]:
        return _held_again, (self.what, self.where, self.do, self.code, self.values, self.shown)


class Unreachable(BinderyError):
    """A partner's system or our own storage did not answer as it should. A retry may help."""

    code = "UNREACHABLE"


class StaleToken(BinderyError):
    """A newer try has taken this delivery over: this one must stop and leave everything as it is."""

    code = "STALE_TOKEN"


class WrongState(BinderyError):
    """A step that the delivery's life does not allow now, such as publishing what was never gated."""

    code = "WRONG_STATE"


class UnknownDelivery(BinderyError):
    """No delivery with this id in the ledger."""

    code = "DELIVERY_UNKNOWN"


class KeyDestroyed(BinderyError):
    """The key of these sealed bytes was destroyed (retention or erasure): they can never be read again."""

    code = "KEY_DESTROYED"


class Tampered(BinderyError):
    """Sealed bytes that do not authenticate: cut short, reordered, altered, or sealed with another key."""

    code = "SEAL_BROKEN"
