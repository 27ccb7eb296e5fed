"""A row for each record, by the cataloguer's sentences: each sentence is evaluated once for all records of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.marc.batch import Batch, Bools, Ints
from include.marc.holdings import statements
from include.marc.mapping import ColumnMapping, Part, Sentence, parse

#: Where what is not sorted begins and ends (ISO 6630; MARC-8 88 and 89), and half lines down and up (ISO 6630).
MARKS = ("\u0098", "\u009c", "\u008b", "\u008c")
#: The first byte of each of them in UTF-8.
FIRST_OF_MARK = 0xC2
NOTHING = pa.scalar(None, pa.string())


@dataclass(frozen=True)
class Texts:
    """What was found: `text[i]` in the record `rec[i]`; records in their order, and in each its texts in theirs."""

    rec: Ints
    text: pa.StringArray

    def where(self, keep: Bools) -> Texts:
        return self if keep.all() else Texts(self.rec[keep], self.text.filter(pa.array(keep)))


def wide(batch: Batch, spec: ColumnMapping | Mapping[str, str | Sequence[str]]) -> pa.Table:
    """A column of texts (null where the record says nothing), or of lists of distinct texts (null where empty), for each of the mapping's.

    Raises SettingsError for a sentence that cannot be read.
    """
    mapping = spec if isinstance(spec, ColumnMapping) else parse("the spec", spec)
    return pa.table({name: _column(batch, many, sentences) for name, (many, sentences) in mapping.columns.items()})


def _column(batch: Batch, many: bool, sentences: Sequence[Sentence]) -> pa.Array:
    chosen: list[Texts] = []
    open_ = np.ones(len(batch), np.bool_)  # records that have no value yet
    for sentence in sentences:
        for parts in sentence.alternatives:
            if chosen and not open_.any():
                break
            found = _found(batch, parts)
            found = _after(found if many else found.where(open_[found.rec]), sentence)
            if not many:
                found = _firsts(found)
                open_[found.rec] = False
            chosen.append(found)
    return _lists(batch, chosen) if many else _singles(batch, chosen)


def _found(batch: Batch, parts: Sequence[Part]) -> Texts:
    """The texts of one alternative."""
    if len(parts) == 1:
        return _of_part(batch, parts[0])
    beside = [_singles(batch, [_firsts(_of_part(batch, part))]).fill_null("") for part in parts]
    return _said(Texts(np.arange(len(batch)), pc.binary_join_element_wise(*beside, "")))


def _of_part(batch: Batch, part: Part) -> Texts:
    """What stands at one place, field by field; empty texts are left out."""
    if part.tag == "leader":
        found = Texts(np.arange(len(batch)), batch.leaders)
    elif part.tag == "holdings":
        found = Texts(*statements(batch))
    elif part.tag_only:
        rows = batch.rows_of(part.tag)
        rows = rows[_begins_field(batch, rows)]
        found = Texts(batch.rec[rows], pa.array(batch.tags.names, pa.string()).take(pa.array(batch.tag[rows])))
    elif part.codes:
        found = _subfields(batch, part)
        found = Texts(found.rec, _without_marks(found.text))
    else:
        rows = batch.rows_of(part.tag)
        rows = rows[batch.ind1[rows] == 0]
        found = Texts(batch.rec[rows], batch.value.take(pa.array(rows)))
    if part.start or part.stop is not None:
        found = Texts(found.rec, pc.utf8_slice_codeunits(found.text, part.start, part.stop))
    return _said(found)


def _subfields(batch: Batch, part: Part) -> Texts:
    """The subfields asked for; those of one field with a blank between."""
    rows = batch.rows_of(part.tag)
    code = batch.code[rows]
    rows = rows[np.logical_or.reduce([code == ord(one) for one in part.codes])]
    if part.indicators is not None:
        first, second = (_indicators(wish)[column[rows]] for wish, column in zip(part.indicators, (batch.ind1, batch.ind2), strict=True))
        rows = rows[first & second]
    values = batch.value.take(pa.array(rows))
    begins = _begins_field(batch, rows)
    if begins.all():
        return Texts(batch.rec[rows], values)
    starts = np.flatnonzero(begins)
    offsets = pa.array(np.append(starts, len(rows)), pa.int32())
    return Texts(batch.rec[rows[starts]], pc.binary_join(pa.ListArray.from_arrays(offsets, values), " "))


@cache
def _indicators(wish: str) -> Bools:
    """Which indicators are meant: a table over ASCII. `*` is any."""
    return np.array([fnmatchcase(chr(indicator), wish.replace("*", "?")) for indicator in range(256)])


def _begins_field(batch: Batch, rows: Ints) -> Bools:
    """Which of these rows are the first of their field among them."""
    begins = np.ones(len(rows), np.bool_)
    begins[1:] = (batch.rec[rows[1:]] != batch.rec[rows[:-1]]) | (batch.seq[rows[1:]] != batch.seq[rows[:-1]])
    return begins


def _after(found: Texts, sentence: Sentence) -> Texts:
    """After the sentence's steps, without blanks around; what a step drops is gone."""
    text = found.text
    for step in sentence.steps:
        text = step(text)
    return _said(Texts(found.rec, pc.utf8_trim_whitespace(text)))


def _without_marks(text: pa.StringArray) -> pa.StringArray:
    """Without the marks around what is not sorted (MARC-8, UNIMARC), and of half lines (UNIMARC), which are no part of a title."""
    data = text.buffers()[2]
    if data is None or not (np.frombuffer(data, np.uint8) == FIRST_OF_MARK).any():
        return text
    for mark in MARKS:
        if pc.any(pc.match_substring(text, mark)).as_py():
            text = pc.replace_substring(text, mark, "")
    return text


def _said(found: Texts) -> Texts:
    """Without texts that say nothing."""
    says = pc.and_(pc.greater(pc.binary_length(found.text), 0), pc.invert(pc.utf8_is_space(found.text)))
    return found.where(np.asarray(pc.fill_null(says, False)))


def _firsts(found: Texts) -> Texts:
    """The first text of each record."""
    first = np.ones(len(found.rec), np.bool_)
    first[1:] = found.rec[1:] != found.rec[:-1]
    return found.where(first)


def _singles(batch: Batch, chosen: Sequence[Texts]) -> pa.StringArray:
    """One text a record, of those chosen in turn; each record is in one of them at most."""
    texts = pa.concat_arrays([found.text for found in chosen]) if chosen else pa.array([], pa.string())
    place = np.full(len(batch), -1, np.int64)
    if chosen:
        place[np.concatenate([found.rec for found in chosen])] = np.arange(len(texts))
    return texts.take(pa.array(place, mask=place < 0))


def _lists(batch: Batch, chosen: Sequence[Texts]) -> pa.ListArray:
    """The distinct texts of each record, in the order in which they were found."""
    texts = pa.concat_arrays([found.text for found in chosen])
    rec = np.concatenate([found.rec for found in chosen]).astype(np.int64)
    coded = texts.dictionary_encode()
    pair = rec * max(len(coded.dictionary), 1) + np.asarray(coded.indices)
    _, first = np.unique(pair, return_index=True)
    first = np.sort(first)
    order = first[np.argsort(rec[first], kind="stable")]
    counts = np.bincount(rec[order], minlength=len(batch))
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
    return pa.ListArray.from_arrays(pa.array(offsets), texts.take(pa.array(order)), mask=pa.array(counts == 0))
