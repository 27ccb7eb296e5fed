"""A release as the service reads it: files mapped into memory, so that opening one costs nothing and many processes share one copy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectors.adhl.relations.edges import Levels
from connectors.adhl.relations.manifest import Manifest
from connectors.adhl.relations.tables import SHAPE
from include.engine.errors import WrongState

_WARM = 1 << 22  # bytes read at a time


@dataclass(frozen=True)
class Title:
    """A title as it is shown; `at_least` so many patrons have borrowed it, as its strongest relation tells."""

    pid: str
    title: str
    creator: str
    at_least: int


@dataclass(frozen=True)
class Index:
    """One release. Titles go by their numbers in it; see connectors/adhl/relations/write.py."""

    manifest: Manifest
    pid: npt.NDArray[np.bytes_]
    first: npt.NDArray[np.int64]
    others: npt.NDArray[np.int32]
    level: Levels
    top: npt.NDArray[np.int32]
    strongest: Levels
    texts: pa.RecordBatch

    @classmethod
    def open(cls, folder: Path, manifest: Manifest) -> Index:
        """The release in `folder`. WrongState ADHL_INDEX_UNREADABLE when files are missing, cut short, or of another shape."""
        try:
            wrong = [file.path for file in manifest.files if (folder / file.path).stat().st_size != file.bytes]
            if wrong or manifest.shape != SHAPE:
                raise ValueError(f"{', '.join(wrong) or 'the shape'} is not as the manifest says")
            _warm(folder / "index")
            parts = {name: np.asarray(np.load(folder / "index" / f"{name}.npy", mmap_mode="r")) for name in _ARRAYS}
            texts = pa.ipc.open_file(pa.memory_map(str(folder / "index" / "text.arrow")))
            batch = texts.get_batch(0) if texts.num_record_batches else pa.RecordBatch.from_pylist([], schema=texts.schema)
        except (OSError, ValueError, pa.ArrowInvalid) as error:
            raise WrongState(
                f"the release cannot be read: {error}", where=folder.name, do="Make another: python -m connectors.adhl release --even-unchanged",
                code="ADHL_INDEX_UNREADABLE",
            ) from error  # fmt: skip
        return cls(manifest, parts["pid"], parts["first"], parts["related"], parts["level"], parts["top"], parts["strongest"], batch)

    @property
    def titles(self) -> int:
        return len(self.pid)

    def number(self, pid: str) -> int | None:
        """The title's number; None for one that is not in the release."""
        wanted = pid.encode()
        if not self.titles or len(wanted) > self.pid.dtype.itemsize:
            return None
        place = int(np.searchsorted(self.pid, np.array(wanted, self.pid.dtype)))
        return place if place < self.titles and self.pid[place] == wanted else None

    def related(self, pids: list[str], most: int) -> list[int]:
        """Titles that those who borrowed one of `pids` also borrowed, the strongest first, none of `pids` among them.

        Of several titles, what is related to more of them, or more strongly, comes first: the patrons that the levels stand for are added up.
        """
        asked = {number for number in map(self.number, pids) if number is not None}
        if len(asked) == 1:
            [one] = asked
            nearest: list[int] = self.others[self.first[one] : self.first[one + 1]][:most].tolist()
            return nearest
        least = (0, *self.manifest.least)
        weight: dict[int, int] = {}
        for one in sorted(asked):
            part = slice(int(self.first[one]), int(self.first[one + 1]))
            for other, level in zip(self.others[part].tolist(), self.level[part].tolist(), strict=True):
                weight[other] = weight.get(other, 0) + least[level]
        ranked = sorted(weight.items(), key=lambda each: (-each[1], each[0]))
        return [other for other, _ in ranked if other not in asked][:most]

    def title(self, number: int) -> Title:
        """What a title is called; "" where no catalogue says."""
        title, creator = (str(self.texts.column(name)[number].as_py() or "") for name in ("title", "creator"))
        return Title(self.name(number), title, creator, self.manifest.least[int(self.strongest[number]) - 1])

    def name(self, number: int) -> str:
        """The pid of a title."""
        return bytes(self.pid[number]).decode()


_ARRAYS = ("pid", "first", "related", "level", "top", "strongest")


def _warm(folder: Path) -> None:
    """Read every file once, so that the first who ask do not wait for the disk."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            while file.read(_WARM):
                pass
