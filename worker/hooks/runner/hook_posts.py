"""Posts to a spec's `hooks:` from a process of its own, as dpp does from a thread.

A process that forks its steps may have no thread: what another thread holds at that moment, such as the lock of an
import, is held for ever in the fork.
"""

import atexit
import logging
import os
import pickle
from importlib import import_module
from typing import Any, BinaryIO, NoReturn, Optional

from . import parent

MODULE = "datapackage_pipelines.status.hook_sender"  # the package has an object of this name in its place


def post_from_a_process() -> None:
    """Have dpp's manager post so in this process."""
    module = import_module(MODULE)
    module.hook_sender.send = HookPosts(module).send


class HookPosts:
    """Stands for dpp's `HookSender`: the first post that is not waited for starts the process."""

    def __init__(self, module: Any) -> None:
        """Take the module: MODULE, extended by dppctl_manager.py."""
        self._module = module
        self._pipe: Optional[BinaryIO] = None

    def send(self, hook: str, payload: Any, blocking: bool = False) -> None:
        """Post the payload to this address; blocking: return when it is done."""
        if blocking:
            self._module._send(hook, payload)
            return
        try:
            if self._pipe is None:
                self._pipe = self._start()
            pickle.dump((hook, payload), self._pipe)
            self._pipe.flush()
        except OSError as error:
            logging.warning("hook %s cannot be told of %s: %s", hook, payload.get("event"), error)

    def _start(self) -> BinaryIO:
        reading, writing = os.pipe()
        above = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(writing)
            self._post(reading, above)
        os.close(reading)
        pipe = open(writing, "wb")  # noqa: SIM115 - open to the end
        atexit.register(_wait_for, pid, pipe)
        return pipe

    def _post(self, reading: int, above: int) -> NoReturn:
        try:
            parent.end_with(above)
            with open(reading, "rb") as pipe:
                while True:
                    self._module._send(*pickle.load(pipe))  # noqa: S301 - of the process above
        except EOFError:
            os._exit(0)
        except BaseException:
            logging.exception("hooks cannot be called any more")
        finally:
            os._exit(1)


def _wait_for(pid: int, pipe: BinaryIO) -> None:
    """Have the process post what it was given, and end."""
    try:
        pipe.close()
    finally:
        os.waitpid(pid, 0)
