"""The builds that run: some at a time, never two of the same image, however many deployments wait for it.

What is to be built is decided elsewhere, each time anew; this module knows what runs, and how the last try ended.
"""

import threading
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from bot.errors import DppctlError, reason_of
from bot.images.builders.interface import BuildError, BuildPutOffError
from bot.limits import BUILD_LOG_SECONDS
from bot.logs import get_logger
from bot.model.names import RepoPath
from bot.process import StoppedError

_log = get_logger("dppctl.bot")

# Builds and pushes; gets where the log goes and what stops it; gives the image, HOST/NAME@sha256:…
Work = Callable[[Callable[[str], None], threading.Event], str]


@dataclass(frozen=True)
class Key:
    """What an image is made of, by its tag; `request`: it is built anew because somebody asked for that."""

    app: RepoPath
    tag: str
    request: int | None = None

    @property
    def name(self) -> str:
        """Return what the image is remembered by."""
        return self.tag if self.request is None else f"{self.tag} rebuilt {self.request}"


@dataclass(eq=False)
class _Build:
    stop: threading.Event = field(default_factory=threading.Event)
    deployments: set[int] = field(default_factory=set)


class BuildQueue:
    """Safe to use from several threads; the builds are threads of their own."""

    def __init__(
        self,
        concurrency: int,
        append_log: Callable[[int, str], None],
        remember: Callable[[Key, str], None],
        on_end: Callable[[RepoPath], None],
    ) -> None:
        """`append_log`: lines for a deployment's log; `remember`: an image is there; `on_end`: look at the app."""
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="build")
        self._append_log = append_log
        self._remember = remember
        self._on_end = on_end
        self._lock = threading.Lock()
        self._running: dict[Key, _Build] = {}
        self._errors: dict[Key, BuildError | BuildPutOffError] = {}

    def join(self, key: Key, deployment: int) -> bool:
        """Tell whether this image is built or waits for that; if so, the deployment gets its log too."""
        with self._lock:
            if build := self._running.get(key):
                build.deployments.add(deployment)
            return build is not None and not build.stop.is_set()

    def start(self, key: Key, work: Work, deployment: int) -> None:
        """Build it when its turn comes. Not while `join` says that it is being built."""
        build = _Build(deployments={deployment})
        with self._lock:
            self._running[key] = build
        try:
            self._threads.submit(copy_context().run, self._run, key, build, work)  # its lines name the push
        except RuntimeError as error:  # the system gives no more threads, or all is being closed
            with self._lock:
                del self._running[key]
                self._errors[key] = BuildPutOffError(str(error))

    def take_error(self, key: Key) -> BuildError | BuildPutOffError | None:
        """Return why the last try failed, once; None when it did not."""
        with self._lock:
            return self._errors.pop(key, None)

    def keep(self, app: RepoPath, wanted: Set[Key]) -> None:
        """Stop those of the app's builds that are not wanted any more."""
        with self._lock:
            for key, build in self._running.items():
                if key.app == app and key not in wanted:
                    build.stop.set()

    def stop(self) -> None:
        """Stop all."""
        with self._lock:
            for build in self._running.values():
                build.stop.set()

    def close(self) -> None:
        """Stop all, and wait for their end."""
        self.stop()
        self._threads.shutdown(cancel_futures=True)

    def _run(self, key: Key, build: _Build, work: Work) -> None:
        lines = _Lines(lambda text: self._append(build, text))
        error: BuildError | BuildPutOffError | None = None
        try:
            if build.stop.is_set():
                raise StoppedError("the build was stopped")
            image = work(lines.add, build.stop)
            self._remember(key, image)
            _log.info("built", app=key.app, tag=key.tag, image=image)
        except StoppedError:
            _log.info("build stopped", app=key.app, tag=key.tag)
        except (BuildError, BuildPutOffError) as failure:
            error = failure
        except (DppctlError, OSError) as failure:  # around the build: files, git, the registry
            error = BuildPutOffError(str(failure))
        except SQLAlchemyError as failure:  # it is built; the next try finds it in the registry
            error = BuildPutOffError(f"the store does not answer: {' '.join(str(failure).split())[:300]}")
        except Exception as unexpected:  # noqa: BLE001 (it is logged and recorded; a thread's end would not be)
            error = BuildError(reason_of(unexpected))
            _log.exception("build broke", app=key.app, tag=key.tag)
        finally:
            lines.flush()
            with self._lock:
                if self._running.get(key) is build:
                    del self._running[key]
                if error:
                    self._errors[key] = error
        if error:
            _log.warning("not built", app=key.app, tag=key.tag, error=str(error).partition("\n")[0])
        self._on_end(key.app)

    def _append(self, build: _Build, text: str) -> None:
        with self._lock:
            deployments = set(build.deployments)
        for deployment in deployments:
            try:
                self._append_log(deployment, text)
            except SQLAlchemyError as failure:  # lines are lost, and nothing else
                _log.warning("log not kept", deployment=deployment, error=" ".join(str(failure).split())[:300])


class _Lines:
    """Collects lines of a log, and passes them on a few times a second."""

    def __init__(self, append: Callable[[str], None]) -> None:
        self._append = append
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        self._timer: threading.Timer | None = None

    def add(self, line: str) -> None:
        with self._lock:
            self._waiting.append(f"{line}\n")
            if self._timer is None:
                self._timer = threading.Timer(BUILD_LOG_SECONDS, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        with self._lock:
            if self._timer:
                self._timer.cancel()
                self._timer = None
            text = "".join(self._waiting)
            self._waiting.clear()
        if text:
            self._append(text)
