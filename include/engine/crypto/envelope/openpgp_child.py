"""Sequoia between two pipes: `openpgp_child.py encrypt|decrypt`, keys and then the data on standard input, the result on standard output.

Keys come as a count (4 bytes, big-endian) and for each its length (4 bytes) and bytes; read without a buffer, so that the data behind them is
left in the pipe for Sequoia. Imports nothing of Bindery: it starts in the time of a bare interpreter.
"""

from __future__ import annotations

import os
import sys

import pysequoia


def _read(count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = os.read(0, count - len(found))
        if not part:
            raise EOFError("the keys are cut short")
        found += part
    return found


def _number() -> int:
    return int.from_bytes(_read(4), "big")


def main(what: str) -> int:
    """0 when all went well; else the error's own words on standard error."""
    keys = [_read(_number()) for _ in range(_number())]
    try:
        if what == "encrypt":
            certs = [pysequoia.Cert.from_bytes(key) for key in keys]
            pysequoia.encrypt_file("/dev/stdin", "/dev/stdout", recipients=certs, armor=False)
        else:
            pysequoia.decrypt_file("/dev/stdin", "/dev/stdout", decryptor=pysequoia.Tsk.from_bytes(keys[0]).decryptor())
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
