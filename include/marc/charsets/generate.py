"""Writes tables/marc8.tsv and tables/eacc.tsv anew: `python -m include.marc.charsets.generate`.

The characters are those of the MARC 21 code tables (Library of Congress, MARC 21 Specifications for Record Structure, Character Sets and
Exchange Media: codetables.xml), as pymarc carries them. Codes are written with seven bits, as the sets are the same in G0 and G1.
"""

from __future__ import annotations

from pathlib import Path

from pymarc.marc8_mapping import CODESETS, ODD_MAP

TABLES = Path(__file__).parent / "tables"
SOURCE = (
    "# Source: MARC 21 code tables (Library of Congress, codetables.xml), by way of pymarc.marc8_mapping; written by charsets/generate.py\n"
)
EACC = 0x31


def main() -> None:
    """Write both tables."""
    lines = [SOURCE, "# set (final character of its escape sequence), code (7 bits), character, c: a diacritic\n"]
    for final in sorted(set(CODESETS) - {EACC}):
        for code, (character, combining) in sorted(CODESETS[final].items()):
            if 0x21 <= code & 0x7F <= 0x7E and (code <= 0x7E or code >= 0xA1):
                lines.append(f"{chr(final)}\t{code & 0x7F:02X}\t{character:04X}\t{'c' if combining else ''}".rstrip() + "\n")
    (TABLES / "marc8.tsv").write_text("".join(lines), encoding="ascii")
    chinese = {code: character for code, (character, _) in CODESETS[EACC].items()} | dict(ODD_MAP)
    lines = [SOURCE, "# code (three times 7 bits), character\n", *(f"{code:06X}\t{chinese[code]:04X}\n" for code in sorted(chinese))]
    (TABLES / "eacc.tsv").write_text("".join(lines), encoding="ascii")


if __name__ == "__main__":
    main()
