"""Bodies as the index keeps them: raw deflate (RFC 1951) with a dictionary of what stands in every record, so that small texts shrink too."""

from __future__ import annotations

import zlib

# What occurs most stands last (zlib manual, deflateSetDictionary). It is part of the index's format: another dictionary is another index version.
_FIELDS = b"".join(
    b'</subfield></datafield><datafield tag="%s" ind1="%s" ind2="%s"><subfield code="%s">' % one
    for one in (
        (b"852", b" ", b" ", b"h"), (b"856", b"4", b"0", b"u"), (b"830", b" ", b"0", b"a"), (b"710", b"2", b" ", b"a"), (b"490", b"0", b" ", b"a"),
        (b"655", b" ", b"7", b"2"), (b"338", b" ", b" ", b"b"), (b"337", b" ", b" ", b"b"), (b"336", b" ", b" ", b"b"), (b"260", b" ", b" ", b"b"),
        (b"041", b"0", b" ", b"a"), (b"040", b" ", b" ", b"b"), (b"020", b" ", b" ", b"a"), (b"022", b" ", b" ", b"a"), (b"084", b" ", b" ", b"2"),
        (b"082", b"0", b"4", b"a"), (b"652", b" ", b" ", b"m"), (b"500", b" ", b" ", b"a"), (b"520", b" ", b" ", b"a"), (b"300", b" ", b" ", b"c"),
        (b"264", b" ", b"1", b"b"), (b"100", b"1", b" ", b"4"), (b"700", b"1", b" ", b"4"), (b"650", b" ", b"7", b"2"), (b"245", b"1", b"0", b"c"),
    )
)  # fmt: skip
DICTIONARY = (
    b"<dc:publisher></dc:publisher><dc:rights></dc:rights><dc:language>dan</dc:language><dc:language>swe</dc:language><dc:language>dut</dc:language>"
    b"<dc:identifier>urn:issn:</dc:identifier><dc:identifier>urn:isbn:97887</dc:identifier><dc:type>Text</dc:type><dc:type>book</dc:type><dc:date>20"
    b"</dc:date><dc:creator></dc:creator><dc:subject></dc:subject><dc:title></dc:title>"
    b'</controlfield><controlfield tag="003">DK-</controlfield><controlfield tag="005">2026</controlfield><controlfield tag="008">'
    b"<leader>00000nam a2200000 i 4500</leader><leader>00000cam a2200000 i 4500</leader>"
    b'<controlfield tag="001">' + _FIELDS + b'</subfield><subfield code="c"></subfield><subfield code="b"></subfield><subfield code="a">'
)  # fmt: skip
_LEVEL = 4


def pack(body: bytes) -> bytes:
    """`body` as it is kept."""
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=DICTIONARY)
    return deflate.compress(body) + deflate.flush()


def unpack(kept: bytes) -> bytes:
    """The body again."""
    return zlib.decompressobj(-zlib.MAX_WBITS, zdict=DICTIONARY).decompress(kept)
