"""ISO 2709, the exchange format of MARC records: ISO 2709:2008; for MARC 21, "MARC 21 Record Structure" (loc.gov/marc/specifications)."""

from include.marc.iso2709.scan import scan
from include.marc.iso2709.shards import shards

__all__ = ["scan", "shards"]
