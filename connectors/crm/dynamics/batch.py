"""`$batch`: many operations in one call (multipart/mixed), each on its own, answered one by one in their order.

No change set: in one, a single wrong row would undo the others. "Execute batch operations using the Web API" (Dataverse): at most 1,000
operations; `Prefer: odata.continue-on-error` goes on behind one that fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from connectors.crm.dynamics.client import API, Environment
from connectors.crm.trouble import unreachable

MOST = 1000
_BOUNDARY = "batch_bindery"
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")


@dataclass(frozen=True)
class Operation:
    """One operation on a row. `only_update`: If-Match, so that a row that is not there is not made."""

    method: str
    path: str
    body: Any = None
    only_update: bool = False


@dataclass(frozen=True)
class Answer:
    """Its status, and the JSON that came with it ({} where none did)."""

    status: int
    body: dict[str, Any]


def row_path(table: str, key: str, value: str) -> str:
    """`contacts(bindery_id='...')`: a quote is doubled (OData 4.0, ABNF), everything that is not plain in an address is percent-encoded."""
    escaped = value.replace("'", "''")
    return f"{table}({key}='{quote(escaped, safe='')}')"


def batch(environment: Environment, operations: Sequence[Operation]) -> list[Answer]:
    """Do the operations; an answer for each, in their order."""
    if len(operations) > MOST:
        raise ValueError(f"a batch has at most {MOST} operations, not {len(operations)}")
    parts = [_part(environment, one) for one in operations]
    content = b"".join(b"--%s\r\n%s\r\n" % (_BOUNDARY.encode(), part) for part in parts) + b"--%s--\r\n" % _BOUNDARY.encode()
    headers = {"Content-Type": f"multipart/mixed; boundary={_BOUNDARY}", "Prefer": "odata.continue-on-error"}
    answer = environment.call("POST", "$batch", content=content, headers=headers)
    found = _answers(answer.headers.get("Content-Type", ""), answer.content)
    if len(found) != len(operations):
        raise unreachable(environment.connection.id, f"{len(found)} answers to {len(operations)} operations")
    return found


def _part(environment: Environment, one: Operation) -> bytes:
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary", ""]
    lines += [f"{one.method} {API}{one.path} HTTP/1.1", "Accept: application/json"]
    lines += ["If-Match: *"] if one.only_update else []
    if one.body is None:
        return "\r\n".join([*lines, "", ""]).encode()
    lines += ["Content-Type: application/json; type=entry", "Prefer: return=representation", "", ""]
    return "\r\n".join(lines).encode() + json.dumps(one.body, ensure_ascii=False).encode()


def _answers(content_type: str, content: bytes) -> list[Answer]:
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    if boundary is None:
        return []
    found = []
    for piece in content.split(b"--" + boundary[1].encode())[1:-1]:
        status = _STATUS.search(piece)
        if status is None:
            continue
        _, _, body = piece[status.end() :].partition(b"\r\n\r\n")
        found.append(Answer(int(status[1]), _json(body)))
    return found


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body.strip() or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
