"""GitPython as the bot needs it: a repository whose git programs we start, and whose answers have a time limit.

GitPython hands its own environment on to each git, with `GIT_*` variables that point git elsewhere and with secrets of
dppctl. So its command runner gets another way to start a program, and the rest of GitPython goes through that runner.
"""

import io
import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

from bot.limits import GIT_END_SECONDS

# GitPython reads its own settings when it is loaded. `quiet`: that there is no git is for ours to say.
_settings = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("GIT_PYTHON_")}
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
try:
    import git
finally:
    del os.environ["GIT_PYTHON_REFRESH"]
    os.environ.update(_settings)

# https://git-scm.com/docs/git#_the_git_repository: where git finds a repository, such as within a hook of its own.
_LOCATIONS = ("GIT_DIR", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE", "GIT_INDEX_FILE")
InvalidGitRepositoryError, NoSuchPathError = git.InvalidGitRepositoryError, git.NoSuchPathError
__all__ = [
    "InvalidGitRepositoryError",
    "NoSuchPathError",
    "Process",
    "Repository",
    "Runner",
    "forget_location",
    "kill_group",
    "signal_group",
    "text_of",
]

Process = subprocess.Popen[bytes]


def forget_location() -> None:
    """Remove from this process' environment which repository it was started in, such as by a hook.

    GitPython goes by it each time that a repository is opened, also where it is given a path; and no other program of
    ours has anything to do with that repository. To be called before there are threads: they read the environment.
    """
    for name in _LOCATIONS:
        os.environ.pop(name, None)


class Content:
    """The content of one object. GitPython's own, when it is dropped, reads all that nobody asked for."""

    def __init__(self, size: int, stream: IO[bytes]) -> None:
        """Take what git says the size is, and what git says next."""
        self._size = size
        self._stream = stream

    def read(self, _: int = -1) -> bytes:
        """Return it all; once."""
        content = self._stream.read(self._size)
        self._stream.read(1)  # the line's end after it
        return content

    def pieces(self) -> Iterator[bytes]:
        """Yield it all, piece by piece, to the end; once."""
        left = self._size
        while left:
            piece = self._stream.read(min(left, 2**20))
            left -= len(piece)
            yield piece
        self._stream.read(1)


class BatchInput:
    """The standard input of `git cat-file --batch`, which takes a question a line.

    Some may be asked ahead: git answers these one after the other, without waiting for us in between.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        """Take the pipe."""
        self._stream = stream
        self.ahead = 0  # questions that were asked, and not yet by `write`

    def ask_ahead(self, questions: Sequence[bytes]) -> None:
        """Ask what the next calls of `write` ask: the same, in the same order."""
        self._stream.write(b"".join(questions))
        self._stream.flush()
        self.ahead += len(questions)

    def write(self, question: bytes) -> None:
        """Ask, unless it was asked ahead."""
        if self.ahead:
            self.ahead -= 1
        else:
            self._stream.write(question)

    def flush(self) -> None:
        """Send what was asked."""
        self._stream.flush()

    def close(self) -> None:
        """Close the pipe."""
        self._stream.close()


class Runner(git.Git):
    """GitPython's command runner for one folder; its programs are started by ours."""

    GIT_PYTHON_GIT_EXECUTABLE = "git"
    GIT_PYTHON_TRACE = False
    CatFileContentStream = Content  # type: ignore[assignment]

    def __init__(
        self, folder: Path, start: Callable[[Sequence[str]], Process], end: Callable[[Process], None], seconds: float
    ) -> None:
        """Take how a program is started in the folder, with pipes to its three streams, and how it is ended.

        `seconds`: how long it may be silent while an answer is read.
        """
        super().__init__(folder)
        self._start = start
        self._end = end
        self._seconds = seconds
        self._input: BatchInput | None = None  # of the program that answers now

    def ask_ahead(self, names: Sequence[str]) -> None:
        """Ask for the objects that `stream_object_data` is asked for next, in this order: 4 KB, which a pipe takes.

        Raises OSError when git is gone.
        """
        process = self._get_persistent_cmd("cat_file_all", "cat_file", batch=True)
        if self._input is None:
            stdin: Any = process.stdin
            self._input = BatchInput(stdin)
            cast("Any", process.proc).stdin = self._input
        self._input.ask_ahead([self._prepare_ref(name) for name in names])

    @property
    def is_asked_ahead(self) -> bool:
        """Return whether there are answers on their way that nobody asked for yet."""
        return self._input is not None and self._input.ahead > 0

    def execute(self, command: Sequence[str], *_: object, as_process: bool, **__: object) -> Any:  # type: ignore[override]
        """Start the command and return its process, as GitPython does for `as_process`; that is all we use.

        Raises GitError.
        """
        if not as_process:
            raise TypeError("only as_process=True: a command that ends is for bot.git.command.Git.run")
        process = self._start(command)
        assert process.stdout is not None  # noqa: S101 (for mypy)
        process.stdout = io.BufferedReader(AnswerStream(process.stdout, self._seconds))
        return self.AutoInterrupt(process, command)

    def clear_cache(self) -> "Runner":
        """End the programs that read objects; what is asked next starts others."""
        if self.cat_file_all:
            self._end(self.cat_file_all.proc)
        super().clear_cache()
        self._input = None
        return self


def text_of(word: object) -> str:
    """Return a word of an answer as text: GitPython gives bytes, whatever its types say."""
    return word.decode() if isinstance(word, bytes) else str(word)


class Repository(git.Repo):
    """GitPython's repository with a runner of ours."""

    def __init__(self, folder: Path, runner: Runner) -> None:
        """Open the folder. Raises git.exc.InvalidGitRepositoryError and git.exc.NoSuchPathError."""
        self.runner = runner
        self.GitCommandWrapperType = lambda _: runner  # type: ignore[assignment,misc]
        super().__init__(folder, expand_vars=False)


class AnswerStream(io.RawIOBase):
    """What a program answers, as long as it is not silent for too long, and does not end."""

    def __init__(self, stream: IO[bytes], seconds: float) -> None:
        self._stream = stream
        self._seconds = seconds
        self._poll = select.poll()
        self._poll.register(stream, select.POLLIN)

    def readable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the pipe's number."""
        return self._stream.fileno()

    def readinto(self, buffer: Any) -> int:
        """Read what is there. Raises TimeoutError, and EOFError when the program ended."""
        if not self._poll.poll(self._seconds * 1000):
            raise TimeoutError(f"no answer within {self._seconds:g} seconds")
        if not (length := os.readv(self.fileno(), [buffer])):
            raise EOFError("ended")
        return length

    def close(self) -> None:
        """Close the pipe."""
        if not self.closed:
            self._stream.close()
        super().close()


def kill_group(process: Process) -> None:
    """End a process that was not waited for, with all that it started; given a moment, git takes its locks away."""
    if process.poll() is None:
        signal_group(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GIT_END_SECONDS)
        signal_group(process, signal.SIGKILL)


def signal_group(process: Process, number: signal.Signals) -> None:
    """Send a signal to a process and all that it started, where there are any."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
