"""The command line of include.marc: python -m include.marc --help"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from include.engine.errors import BinderyError
from include.marc import commands
from include.marc.charsets import NAMES
from include.marc.mapping import known

ABOUT = """\
Read, check, convert and compare files of MARC records.

A file may be ISO 2709 (.mrc, .marc, .iso) or XML (MARCXML, MarcXchange), bare or packed (gzip, Zstandard, ZIP); which it is is found by
looking. A damaged record never stops the reading: it is repaired, or set aside, and you are told.
"""
STATUS = """\
exit status:
  0  all is well (diff: no difference)
  1  done, but look: records were set aside (check: something is wrong with a record; diff: the files differ)
  2  not done: the file cannot be read, or the command cannot be understood
"""
EXAMPLES = """\
examples:
  python -m include.marc check catalogue.mrc                        what is wrong with which record
  python -m include.marc stats catalogue.xml.gz                     how many records have which fields
  python -m include.marc to-line catalogue.mrc | less               read the records
  python -m include.marc to-marcxml catalogue.mrc catalogue.xml
  python -m include.marc to-iso2709 catalogue.xml catalogue.mrc
  python -m include.marc to-parquet catalogue.mrc rows.parquet      a row for each subfield, for DuckDB, Polars or Spark
  python -m include.marc to-parquet --wide marc21_bibliographic catalogue.mrc titles.parquet
  python -m include.marc diff last_week.mrc today.mrc               what came, what went, what changed
"""


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    every = argparse.ArgumentParser(
        prog="python -m include.marc",
        description=ABOUT,
        epilog=f"{EXAMPLES}\n{STATUS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    todo = every.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], words: str, more: str = "") -> argparse.ArgumentParser:
        one = todo.add_parser(
            name,
            help=words,
            description=f"{words[0].upper()}{words[1:]}. {more}".strip(),
            epilog=STATUS,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.set_defaults(run=run)
        _reading(one, "the older file" if name == "diff" else "the file to read")
        if name != "diff":
            one.add_argument("--replace", action="store_true", help="keep a record with unreadable characters, and put U+FFFD for them")
            one.add_argument("--set-aside", type=Path, metavar="FILE", help="write the bytes of records that are set aside to this file")
        return one

    parquet = command(
        "to-parquet", commands.to_parquet, "write a Parquet table", "A row for each subfield, or, with --wide, for each record."
    )
    parquet.add_argument("out", type=Path, help="the file to write")
    parquet.add_argument(
        "--wide",
        metavar="MAPPING",
        help=f"a row for each record, by a mapping: {', '.join(known())}, or a YAML file of your own",
    )
    for name, run, words in (
        ("to-marcxml", commands.to_marcxml, "write MARCXML"),
        ("to-iso2709", commands.to_iso2709, "write ISO 2709"),
        ("to-line", commands.to_line, "write lines that a person can read"),
    ):
        one = command(name, run, words)
        one.add_argument("out", type=Path, nargs="?", help="the file to write; without one, the standard output")
        if name == "to-marcxml":
            one.add_argument("--marcxchange", action="store_true", help="the namespace and attributes of MarcXchange (ISO 25577)")
        if name == "to-iso2709":
            one.add_argument(
                "--write-charset",
                default="utf-8",
                choices=[*NAMES, "as_read"],
                metavar="NAME",
                help="character set to write (utf-8), or as_read: each record's own",
            )
    command("stats", commands.stats, "count records, fields and character sets")
    checked = command("check", commands.check, "tell what is wrong with which record")
    _listing(checked, "problems")
    compared = command("diff", commands.diff, "compare two exports: which records came, went and changed")
    compared.add_argument("new", type=Path, help="the newer file")
    compared.add_argument(
        "--ignore", action="append", default=[], metavar="TAG", help="changes of this field are none (005); may be repeated"
    )
    _listing(compared, "changes")
    return every


def _reading(one: argparse.ArgumentParser, file: str) -> None:
    """What all commands need to know of the file that they read."""
    one.add_argument("file", type=Path, help=file)
    one.add_argument(
        "--format",
        choices=["marc21", "unimarc", "danmarc2"],
        default="marc21",
        help="which MARC it is (marc21); danmarc2 is for danMARC3 too",
    )
    one.add_argument(
        "--charset", default="declared", choices=["declared", *NAMES], metavar="NAME",
        help=f"the file's character set, if the records do not say it rightly: {', '.join(NAMES)}",
    )  # fmt: skip
    one.add_argument("--quiet", action="store_true", help="no progress bar")


def _listing(one: argparse.ArgumentParser, what: str) -> None:
    one.add_argument("--limit", type=int, default=50, metavar="N", help=f"show so many {what} (50)")
    one.add_argument("--table", type=Path, metavar="FILE", help=f"write all {what} to this CSV file")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    asked = parser().parse_args(arguments)
    try:
        status: int = asked.run(asked)
    except BrokenPipeError:  # whoever reads our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return commands.WELL
    except (BinderyError, OSError) as error:
        commands.say(f"{asked.file}: {error}")
        return commands.FAILED
    except KeyboardInterrupt:
        commands.say("stopped")
        return commands.FAILED
    return status


if __name__ == "__main__":
    sys.exit(main())
