"""The processors of a pipeline as dpp's own task sees them (datapackage_pipelines/manager/tasks.py: create_process).

They are forked instead of started: each standard step joins the lane of its neighbours, every other has a process of
its own. dpp takes the death of a step for the end of its rows; here the end of a pipe is held back until the step that
writes it has succeeded, so nothing behind a failed step can mistake it and commit; and nothing before it fails, in its
place, for a pipe that nobody reads.
"""

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Callable, List, Optional

from .plan import LANE

_LINE_BYTES = 1 << 16  # of asyncio's own pipes: dpp discards longer lines


class Member:
    """A step to be run by a process: what dpp's task knows as a process."""

    def __init__(self, arguments: List[str], stdin: Any, errors_to: int, writes_to: int, is_last: bool) -> None:
        """arguments: of its script, the script first; stdin: for the task; errors_to, writes_to: descriptors."""
        self.arguments = arguments
        self.stdin = stdin
        self.stderr: Any = None
        self.args: Any = None  # the task keeps the script's path here
        self.errors_to = errors_to
        self.writes_to = writes_to
        self.pid = 0
        self._process: Optional[Forked] = None
        self._position = 0
        self._killed = asyncio.Event()
        self._is_last = is_last

    def belongs_to(self, process: "Forked", position: int) -> None:
        """Take note of the process that runs it. The task tells its processes apart by their numbers."""
        self._process = process
        self._position = position
        self.pid = process.pid if position == 0 else -(process.pid * 1000 + position)

    async def wait(self) -> int:
        """Return its exit code; of the steps of a lane that failed, the one that did is the first to end."""
        assert self._process is not None  # noqa: S101 - for the type checker
        failed, code = await self._process.outcome()
        if code == 0:
            self._end_output()
            return 0
        if failed == self._position:
            return int(code)
        await self._killed.wait()
        return -signal.SIGKILL

    def kill(self) -> None:
        """End it, and the steps of its lane. Raises ProcessLookupError when it has ended."""
        self._killed.set()
        if self._is_last:  # the task itself reads what it writes, to the end
            self._end_output()
        if self._process is not None:
            self._process.kill()

    def _end_output(self) -> None:
        if self.writes_to >= 0:
            os.close(self.writes_to)
            self.writes_to = -1


class Forked:
    """A process that was forked, and the steps that it runs."""

    def __init__(self, pid: int, status: int, reads_from: int, waiters: ThreadPoolExecutor) -> None:
        """status: a descriptor from which the position of the step that failed is read, and its exit code.

        reads_from: what is its stdin; it is closed when the process has succeeded.
        """
        self.pid = pid
        self._status = status
        self._reads_from = reads_from
        self._waiters = waiters
        self._ended: Any = None

    async def outcome(self) -> Any:
        """Return the position of the step that failed, and the exit code; negative: the signal that ended it."""
        if self._ended is None:
            loop = asyncio.get_event_loop()
            self._ended = asyncio.ensure_future(loop.run_in_executor(self._waiters, self._wait))
        return await asyncio.shield(self._ended)

    def kill(self) -> None:
        """Send SIGKILL. Raises ProcessLookupError when it has ended."""
        if self._ended is not None and self._ended.done():
            raise ProcessLookupError
        os.kill(self.pid, signal.SIGKILL)

    def _wait(self) -> Any:
        _, status = os.waitpid(self.pid, 0)
        code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        os.set_blocking(self._status, False)
        said = b""
        with suppress(OSError):
            said = os.read(self._status, 100)
        os.close(self._status)
        if code == 0:
            os.close(self._reads_from)
        if said and code > 0:
            return tuple(map(int, said.split()[:2]))  # of two halves of a lane both may have failed
        return 0, code


class Processors:
    """Makes the processes of one pipeline; `create` stands for the task's `create_process`."""

    def __init__(self, ways: List[str], become: Callable[..., Any]) -> None:
        """ways: LANE or OWN for each step, the sink last.

        become: never returns; given the members of a process and the descriptor for its status, it runs them, with
        0, 1 and 2 connected.
        """
        self._ways = ways
        self._become = become
        self._waiters = ThreadPoolExecutor(len(ways))  # its threads start when all processes are forked
        self._waiting: List[Member] = []  # the steps of a lane that is not complete yet
        self._reads_from = -1

    async def create(self, arguments: List[str], cwd: str, writes_to: int, reads_from: Optional[int]) -> Member:
        """Return a step as a process; arguments: interpreter, script and so on; the descriptors stay the task's."""
        number = int(arguments[2])
        stdin = None
        if reads_from is None:
            reads_from, given = os.pipe()
            stdin = _Stdin(given)
        errors, errors_to = os.pipe()
        is_last = number == len(self._ways) - 1
        member = Member(arguments[1:], stdin, errors_to, os.dup(writes_to), is_last)
        member.stderr = await _reader(errors)
        if not self._waiting:
            self._reads_from = os.dup(reads_from)
        if stdin:
            os.close(reads_from)
        self._waiting.append(member)
        if not (self._ways[number] == LANE and self._ways[number + 1 : number + 2] == [LANE]):
            self._fork(cwd)
        return member

    def _fork(self, cwd: str) -> None:
        members, self._waiting = self._waiting, []
        status, status_to = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.chdir(cwd)
                _connect(self._reads_from, members[-1].writes_to, members[0].errors_to)
                _close_all_but([status_to, *(member.errors_to for member in members)])
                self._become(members, status_to)
            finally:
                os._exit(1)
        for descriptor in (status_to, *(member.errors_to for member in members)):
            os.close(descriptor)
        process = Forked(pid, status, self._reads_from, self._waiters)
        for position, member in enumerate(members):
            member.belongs_to(process, position)


class _Stdin:
    """The pipe to the first step, for the little that the task writes to it."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "wb")

    def write(self, content: bytes) -> None:
        self._file.write(content)

    def close(self) -> None:
        with suppress(BrokenPipeError):  # it has ended, and its exit code says so
            self._file.close()


async def _reader(descriptor: int) -> asyncio.StreamReader:
    loop = asyncio.get_event_loop()
    reader = asyncio.StreamReader(limit=_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb"))
    return reader


def _connect(stdin: int, stdout: int, stderr: int) -> None:
    for number, descriptor in enumerate((stdin, stdout, stderr)):
        os.dup2(descriptor, number)


def _close_all_but(kept: List[int]) -> None:
    """Close what belongs to the process that this one was forked from; its own three streams stay."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in kept:
            with suppress(OSError):  # the folder's own descriptor
                os.close(int(name))
