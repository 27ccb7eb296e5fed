"""One peer over one MARC file, in an environment of its own (tests.bench.marc makes it): python marc_peers.py NAME FILE OUT

Stands alone: imports nothing of ours. Prints how many records it got through, and, if it stopped, why.
"""

import itertools
import sys
from pathlib import Path


def rows(records):
    """(record number, tag, indicators, code, value) of records with pymarc's interface, as every tutorial writes it."""
    for number, record in enumerate(records):
        yield number, "LDR", "", "", str(record.leader)
        for field in record.fields() if callable(record.fields) else record.fields:
            if field.tag < "010":
                yield number, field.tag, "", "", str(field.data() if callable(field.data) else field.data)
            else:
                for subfield in field.subfields() if callable(field.subfields) else field.subfields:
                    yield number, field.tag, "".join(field.indicators), subfield.code, subfield.value


def to_long(records, out):
    """Rows into Parquet, 100,000 at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("record", pa.int64()), *((name, pa.string()) for name in ("tag", "indicators", "code", "value"))])
    found, last = rows(records), -1
    with pq.ParquetWriter(out, schema, compression="zstd", compression_level=1) as writer:
        while part := list(itertools.islice(found, 100_000)):
            writer.write_table(pa.Table.from_arrays([pa.array(column) for column in zip(*part, strict=True)], schema=schema))
            last = part[-1][0]
    return last + 1


def pymarc(file, out):
    import logging

    import pymarc

    logging.disable(logging.CRITICAL)
    with Path(file).open("rb") as stream:
        return to_long((record for record in pymarc.MARCReader(stream, hide_utf8_warnings=True) if record), out)


def mrrc(file, out):
    import mrrc

    with Path(file).open("rb") as stream:
        return to_long(mrrc.MARCReader(stream), out)


def mrrc_iterate(file, out):
    import mrrc

    with Path(file).open("rb") as stream:
        return sum(1 for _ in mrrc.MARCReader(stream))


def pymarc_iterate(file, out):
    import logging

    import pymarc

    logging.disable(logging.CRITICAL)
    with Path(file).open("rb") as stream:
        return sum(record is not None for record in pymarc.MARCReader(stream, hide_utf8_warnings=True))


def marctable(file, out):
    import marctable
    import pyarrow.parquet as pq
    import pymarc

    with Path(file).open("rb") as stream, Path(out).open("wb") as target:
        marctable.to_parquet(pymarc.MARCReader(stream), target)  # as its own command does
    return pq.read_metadata(out).num_rows


def polars_marc21(file, out):
    import polars_marc21

    table = polars_marc21.read_marc21(file, "001, 008, 100/*.a, 245/*.a, 245/*.b, 245/*.c")
    table.write_parquet(out)
    return table.height


def bib2(file, out):
    import subprocess

    subprocess.run([str(Path(sys.executable).with_name("bib2")), "-o", out, file], check=True, capture_output=True)
    return


if __name__ == "__main__":
    name, source, target = sys.argv[1:4]
    try:
        print("records", globals()[name](source, target))
    except BaseException as error:
        print("stopped", type(error).__name__, str(error)[:100].replace("\n", " "))
        sys.exit(1)
