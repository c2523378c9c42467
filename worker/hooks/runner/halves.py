"""Cuts a lane in two processes, when there is a second core.

At a place between two steps the process forks: the child goes on with the steps before that place and writes their rows
to a pipe, the parent with those behind. So it is after some rows, when they are many; or before any script runs, when
a database is behind (`is_cut_first`). Everything that is open is open in both; the child never touches what is behind,
nor the parent what is before. A step that keeps rows on disk (`sort`, `join`) stays with the parent, as its database
would not survive a fork after some rows.
"""

import fcntl
import gc
import os
import struct
from contextlib import suppress
from typing import Any, Callable, Iterator, List, NoReturn, Optional

from . import parent
from .batches import Batch
from .packed import packed, unpacked

ROWS_BEFORE = 5_000  # a second of work, so that a fork and a pipe are worth it
_PIPE_BYTES = 1 << 20  # so that neither half often waits for the other
_BUFFER = 1 << 16
_SET_PIPE_SIZE = 1031  # F_SETPIPE_SZ, a name of Python 3.10: https://man7.org/linux/man-pages/man2/fcntl.2.html
_END = object()
_LENGTH = struct.Struct("<I")
_KEEP_ROWS_ON_DISK = ("lib/deduplicate.py", "lib/duplicate.py", "lib/join.py", "lib/sort.py")
# How long a row takes in a step, as measured; those that are left out take rows one at a time.
_WEIGHTS = {
    "lib/load.py": 2.5,
    "lib/load_resource.py": 4.0,
    "lib/stream_remote_resources.py": 6.0,
    "lib/add_computed_field.py": 1.0,
    "lib/add_metadata.py": 0.5,
    "lib/delete_fields.py": 0.5,
    "lib/filter.py": 0.5,
    "lib/set_types.py": 1.0,
    "lib/update_package.py": 0.5,
    "lib/update_resource.py": 0.5,
    "lib/dump/to_path.py": 6.0,
    "lib/dump_to_path.py": 2.5,
    "lib/dump/to_sql.py": 6.0,
    "lib/dump_to_sql.py": 6.0,
    "lib/internal/sink.py": 2.5,
}
_ONE_AT_A_TIME = 3.0
_INTO_DATABASES = ("lib/dump/to_sql.py", "lib/dump_to_sql.py")
_kept: List[Any] = []  # what the child goes on with is not to be finalized by the parent


def place_of_cut(names: List[Optional[str]], cores: int) -> Optional[int]:
    """Return after which step a lane is cut, so that both halves have about the same to do; None: nowhere.

    names: of its standard processors, as standard.py has them.
    """
    if cores < 2:
        return None
    weights = [_WEIGHTS.get(name or "", _ONE_AT_A_TIME) for name in names]
    places = []
    for place in range(len(names) - 1):
        if names[place] in _KEEP_ROWS_ON_DISK:
            break
        places.append((max(sum(weights[: place + 1]), sum(weights[place + 1 :])), place))
    return min(places)[1] if places else None


def is_cut_first(names: List[Optional[str]], place: int) -> bool:
    """Return whether the lane is cut before its first script runs, and not when there are many rows.

    So it is where the second half writes into a database: to load what that needs, and to connect, takes a while in
    which the first half reads; and each half copies only those pages of the process it was forked from that it uses.
    """
    return any(name in _INTO_DATABASES for name in names[place + 1 :])


def in_two(items: Iterator[Any], after: Callable[[], None], give_up: Callable[[], NoReturn]) -> Iterator[Any]:
    """Yield the items; after ROWS_BEFORE rows in batches of them a child gives the others.

    after: what the child does then; give_up: ends this process, when the child failed and has said so.
    """

    def rest() -> Iterator[Any]:
        yield from items
        after()

    count = 0
    while count < ROWS_BEFORE:
        item = next(items, _END)
        if item is _END:
            return
        if isinstance(item, Batch):
            count += item.count
        yield item
    _kept.append(items)
    yield from beside(rest, lambda: os._exit(0), give_up)


def is_in_two() -> bool:
    """Return whether a child has gone on with what `in_two` was given."""
    return bool(_kept)


def beside(
    start: Callable[[], Iterator[Any]], end: Callable[[], NoReturn], give_up: Callable[[], NoReturn]
) -> Iterator[Any]:
    """Fork; return the items that the child gives, which has them from `start` and ends itself with `end`.

    give_up: ends this process, when the child failed and has said so.
    """
    reading, writing = os.pipe()
    with suppress(OSError):  # no more for this user
        fcntl.fcntl(writing, _SET_PIPE_SIZE, _PIPE_BYTES)
    above = os.getpid()
    gc.collect()
    gc.freeze()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _give(start, end, writing, above)
    os.close(writing)
    return _taken(reading, child, give_up)


def _give(start: Callable[[], Iterator[Any]], end: Callable[[], NoReturn], writing: int, above: int) -> NoReturn:
    """Write the items to the pipe, then nothing as one, and end the process."""
    try:
        gc.freeze()  # what belongs to the parent is not to be finalized here
        parent.end_with(above)
        with open(writing, "wb", _BUFFER) as pipe:
            for item in start():
                _write(pipe, packed(item))
            _write(pipe, b"")
        end()
    except BrokenPipeError:
        pass  # the parent has ended, and says why
    finally:
        os._exit(1)


def _write(pipe: Any, content: bytes) -> None:
    """Write at once: what waits in a buffer keeps the other half waiting."""
    pipe.write(_LENGTH.pack(len(content)))
    pipe.write(content)
    pipe.flush()


def _taken(reading: int, child: int, give_up: Callable[[], NoReturn]) -> Iterator[Any]:
    with open(reading, "rb", _BUFFER) as pipe:
        while True:
            head = pipe.read(_LENGTH.size)
            size = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else -1
            if size == 0:
                os.waitpid(child, 0)
                return
            content = pipe.read(size) if size > 0 else b""
            if len(content) != size:
                _, status = os.waitpid(child, 0)
                if os.WIFSIGNALED(status):  # it could not say which step failed, nor did one: they end as it did
                    os.kill(os.getpid(), os.WTERMSIG(status))
                give_up()
            yield unpacked(content)
