"""Runs a processor's script in this process as `python SCRIPT …` does in one of its own.

The process was forked from a warm one: modules that the warm process loaded for its own work, or for the workload, are
forgotten, so that a script finds what it would find in a fresh interpreter, only sooner.
"""

import asyncio
import atexit
import gc
import importlib
import io
import logging
import os
import sys
import threading
import types
import warnings
import weakref
from typing import Any, List, NoReturn, Set

HERE = os.path.dirname(os.path.abspath(__file__))
_PIPE_BUFFER = 1 << 16
# Those set up logging, or hold what a process has once, when they are imported.
_ONCE_A_PROCESS = (
    "datapackage_pipelines.lib",
    "datapackage_pipelines.utilities.flow_utils",
    "datapackage_pipelines.wrapper",
)


def run_script(arguments: List[str]) -> None:
    """Execute a script as `__main__`; arguments: the script's path first. Whatever it raises comes through."""
    path = arguments[0]
    getattr(warnings, "_filters_mutated", int)()  # a warning that was shown for another script is shown again
    sys.argv = list(arguments)
    sys.path[0] = os.path.dirname(path)
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=path, __builtins__=sys.modules["builtins"])
    sys.modules["__main__"] = main
    with open(path, "rb") as file:
        source = file.read()
    exec(compile(source, path, "exec", dont_inherit=True), main.__dict__)  # noqa: S102 - the processor


def exit_code_of(error: BaseException) -> int:
    """Return the exit code of an interpreter that this error ends; say what Python says."""
    if isinstance(error, SystemExit):
        if error.code is None:
            return 0
        if isinstance(error.code, int):
            return error.code & 0xFF
        sys.stderr.write(f"{error.code}\n")
        return 1
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(HERE):
        trace = trace.tb_next
    sys.excepthook(type(error), error.with_traceback(trace), trace)
    return 1


def be_fresh() -> None:
    """Forget, in a process that was just forked, what only the one that it was forked from has to end."""
    gc.freeze()  # its objects are not to be finalized here
    atexit._clear()
    weakref.finalize._registry.clear()  # type: ignore[attr-defined]
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]
    sys.excepthook = sys.__excepthook__
    asyncio.set_event_loop_policy(None)
    asyncio._set_running_loop(None)


def forget_modules(kept: Set[str]) -> None:
    """Forget modules of the workload, which a script imports itself, and those that are set up for one script.

    kept: names of modules that the warm process loaded before it looked at the workload.
    """
    importlib.invalidate_caches()
    for name, module in list(sys.modules.items()):
        if name.startswith(_ONCE_A_PROCESS) or (name not in kept and not _is_installed(module)):
            del sys.modules[name]
    for finder in sys.meta_path:
        if hasattr(finder, "extend_again"):
            finder.extend_again(_ONCE_A_PROCESS)


def _is_installed(module: Any) -> bool:
    """Return whether a module is Python's, a package's or ours: some of those cannot be loaded twice.

    Packages of processors are the exception: they may read variables that are the pipeline's own.
    """
    if module.__name__.startswith("datapackage_pipelines_"):
        return False
    file = getattr(module, "__file__", None) or ""
    standard = os.path.dirname(os.__file__) + os.sep
    return not file or file.startswith((standard, os.path.dirname(HERE))) or "-packages" + os.sep in file


def open_streams() -> None:
    """Open stdin, stdout and stderr anew on the descriptors 0, 1 and 2, as an interpreter does that starts."""
    before: Any = sys.__stdin__
    names: Any = sys
    reading = open(0, "rb", _PIPE_BUFFER, closefd=False)  # noqa: SIM115 - open to the end
    writing = open(1, "wb", _PIPE_BUFFER, closefd=False)  # noqa: SIM115
    saying = open(2, "wb", closefd=False)  # noqa: SIM115
    names.stdin = names.__stdin__ = io.TextIOWrapper(reading, before.encoding, before.errors, "\n")
    names.stdout = names.__stdout__ = io.TextIOWrapper(writing, before.encoding, before.errors, "\n")
    names.stderr = names.__stderr__ = io.TextIOWrapper(
        saying, before.encoding, "backslashreplace", "\n", line_buffering=True
    )


def end_process(code: int) -> NoReturn:
    """End this process as an interpreter ends: threads, what was registered for the end, finalizers, streams."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        logging.shutdown()
        _clear(sys.modules["__main__"])
        gc.collect()
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            _flush(stream)
    finally:
        os._exit(code)


def _clear(module: Any) -> None:
    for name in [name for name in vars(module) if name != "__builtins__"]:
        vars(module)[name] = None


def _flush(stream: Any) -> None:
    try:
        stream.flush()
    except (AttributeError, OSError, ValueError):
        return  # closed by the script, or nobody reads any more
