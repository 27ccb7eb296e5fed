"""Many PINs and passwords hashed at once, for a load: one takes some 30 ms of a core on purpose, and OpenSSL lets go of Python meanwhile, so
that threads use every core.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from connectors.circulation.pins import hashed, is_hash

Told = Callable[[int, int], None]
"""Called with how many are done, of how many."""


def hash_of(text: str) -> str:
    """A PIN or password as it may be kept; a hash stays as it is."""
    return text if is_hash(text) else hashed(text)


def hashes(texts: Sequence[str], told: Told = lambda _done, _all: None) -> Iterator[str]:
    """The hash of each, in order. Whoever stops listening stops the work."""
    plain = sum(not is_hash(text) for text in texts)
    threads, waiting, done = min(plain, len(os.sched_getaffinity(0))) or 1, iter(texts), 0
    pool = ThreadPoolExecutor(threads, thread_name_prefix="hashing")
    try:
        under_way = [(text, pool.submit(hash_of, text)) for text in islice(waiting, 4 * threads)]
        while under_way:
            text, first = under_way.pop(0)
            found = first.result()
            under_way += [(one, pool.submit(hash_of, one)) for one in islice(waiting, 1)]
            if not is_hash(text):
                done += 1
                told(done, plain)
            yield found
    finally:
        pool.shutdown(cancel_futures=True)
