"""Character sets of MARC records: bytes of many values into text at once, and back.

Only values with a byte of 80 or more, or a SPECIAL byte of their set, need `decode`: all others are ASCII in each of these sets.
docs/marc.md has the choices.
"""

from include.marc.charsets.codecs import NAMES, SPECIAL, encode
from include.marc.charsets.declared import called, declared
from include.marc.charsets.reading import Texts, decode

__all__ = ["NAMES", "SPECIAL", "Texts", "called", "declared", "decode", "encode"]
