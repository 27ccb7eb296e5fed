"""Batches written as files: iso2709.write, marcxml.write (and MarcXchange), line.write. docs/marc.md."""

from include.marc.write.rows import Written

__all__ = ["Written"]
