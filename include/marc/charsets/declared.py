"""Which character set a record says that it is in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from include.marc.batch import Family
from include.marc.charsets.codecs import NAMES
from include.marc.charsets.unimarc import designations

#: UNIMARC 100 $a/26-27 (G0) and 28-29 (G1): IFLA, UNIMARC Manual, field 100; codes that we read.
UNIMARC: dict[str, str] = {
    "02": "unimarc-cyrillic",
    "03": "iso-5426",
    "04": "unimarc-extended-cyrillic",
    "05": "unimarc-greek",
    "11": "iso-5426",  # ISO 5426-2, for early print: its letters that ISO 5426 lacks are reported
    "50": "utf-8",
}
UTF8, MARC8, DANMARC2 = NAMES.index("utf-8"), NAMES.index("marc-8"), NAMES.index("danmarc2")


def declared(coding: npt.NDArray[np.uint8], general: pa.BinaryArray, family: Family) -> npt.NDArray[np.uint8]:
    """For each record, what it says about itself, as an index in NAMES.

    `coding`: MARC 21's leader/09, `a` for Unicode, blank and all else for MARC-8. `general`: UNIMARC's 100 $a of each record, null
    where it has none. danMARC2 says nothing: its own set is assumed, and UTF-8 where the bytes show it. UNIMARC that names no set that
    we know is taken for UTF-8.
    """
    if family == "marc21":
        return np.where(coding == ord("a"), UTF8, MARC8).astype(np.uint8)
    if family == "danmarc2":
        return np.where(coding == ord("a"), UTF8, DANMARC2).astype(np.uint8)
    coded = pc.binary_slice(general, 26, 30).dictionary_encode()
    named = [of_unimarc(text) for text in coded.dictionary.to_pylist()]
    table = np.array([*map(NAMES.index, named), UTF8], np.uint8)
    found: npt.NDArray[np.uint8] = table[np.asarray(coded.indices.fill_null(len(named)))]
    return found


def called(general: pa.BinaryArray) -> dict[int, bytes]:
    """For each record whose 100 $a names more sets (30-33: G2 and G3) the escape sequences that say the same before each of its values."""
    coded = pc.binary_slice(general, 30, 34).dictionary_encode()
    said = [designations(text) for text in coded.dictionary.to_pylist()]
    if not any(said):
        return {}
    places = coded.indices.fill_null(-1).to_pylist()
    return {record: said[place] for record, place in enumerate(places) if place >= 0 and said[place]}


def of_unimarc(codes: bytes) -> str:
    """The character set that 100 $a/26-29 names."""
    left, right = codes[:2].decode("latin-1"), codes[2:4].decode("latin-1")
    if "50" in (left, right):
        return "utf-8"
    return UNIMARC.get(right) or UNIMARC.get(left) or "utf-8"
