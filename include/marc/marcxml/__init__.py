"""MARCXML and MarcXchange (ISO 25577): docs/marc.md."""

from include.marc.marcxml.scan import scan
from include.marc.marcxml.shards import boundary, shards

__all__ = ["boundary", "scan", "shards"]
