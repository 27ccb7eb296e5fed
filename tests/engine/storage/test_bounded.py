"""A call ends in its time whatever it waits for, and what comes after it starts anew."""

from __future__ import annotations

import io
import threading

import pytest

from include.engine.storage.bounded import Blocks, Bounded, blocks_of


def test_a_call_gives_back_what_its_work_gives_or_raises() -> None:
    worker = Bounded("w", lambda: None)
    assert worker.call(lambda: 1 + 1, 5) == 2
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 // 0, 5)
    with pytest.raises(TimeoutError, match="its own"):
        worker.call(lambda: (_ for _ in ()).throw(TimeoutError("its own")), 5)
    assert worker.generation == 1
    worker.close()
    worker.close()
    assert worker.call(lambda: "anew", 5) == "anew" and worker.generation == 2
    worker.close()


def test_a_call_that_hangs_is_cut_and_those_behind_it_need_not_wait() -> None:
    behind: list[BaseException] = []
    for seconds in (0.2, 2.0, 20.0):  # on a busy machine nobody may have come to stand behind it in the shorter ones
        hung, cut, begun = threading.Event(), threading.Event(), threading.Event()
        worker = Bounded("w", cut.set)

        def wait_behind(worker: Bounded = worker, begun: threading.Event = begun) -> None:
            begun.wait()
            try:
                worker.call(lambda: None, 600)
            except ConnectionError as error:
                behind.append(error)

        waiting = threading.Thread(target=wait_behind)
        waiting.start()
        with pytest.raises(TimeoutError, match="within"):
            worker.call(lambda begun=begun, hung=hung: begun.set() or hung.wait(600), seconds)
        begun.set()
        waiting.join()
        assert cut.is_set() and not hung.is_set()
        assert worker.call(threading.get_ident, 60) != threading.get_ident()
        hung.set()
        worker.close()
        if behind:
            break
    assert len(behind) == 1


def test_blocks_are_read_as_a_stream_in_any_pieces_and_closed_once() -> None:
    closed: list[int] = []
    stream = Blocks(iter([b"ab", b"", b"cdef", b"g"]), lambda: closed.append(1))
    assert stream.readable() and (stream.read(1), stream.read(5), stream.readall()) == (b"a", b"b", b"cdefg")
    stream.close()
    stream.close()
    assert closed == [1]
    assert list(blocks_of(io.BytesIO(b"abcde"), 2)) == [b"ab", b"cd", b"e"]
