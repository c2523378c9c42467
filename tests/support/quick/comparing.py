"""Compares code of the hooks with dpp's own, in dpp's Python: values go in and what differs comes out, as pickles."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from worker.runner.hooks import write_hooks

ROOT = Path(__file__).parents[3]


class DppPython:
    """A process of dpp's Python that runs a module of this folder; it ends with `close`."""

    def __init__(self, bin_folder: Path, hooks: Path, module: str, **environment: str) -> None:
        """hooks: a folder to make, with the hooks as a run has them; what they do by themselves is off."""
        path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
        write_hooks(hooks)
        self._process = subprocess.Popen(
            [bin_folder / "python", "-m", f"tests.support.quick.{module}"],
            env={"PATH": path, "PYTHONPATH": f"{hooks}{os.pathsep}{ROOT}", "DPPCTL_QUICK": "0", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def differences(self, value: object) -> Any:
        """Return what the module's function says of this value; nothing differs when it is empty."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        pickle.dump(value, stdin)
        stdin.flush()
        return pickle.load(stdout)

    def close(self) -> None:
        """End the process, which must be well."""
        self._process.communicate(timeout=30)
        assert self._process.returncode == 0


def serve(compare: Callable[[Any], Any]) -> None:
    """Answer each value on stdin with what `compare` returns, until there are no more."""
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr
    while True:
        try:
            value = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(compare(value), answers)
        answers.flush()


def loaded_again(module: ModuleType) -> ModuleType:
    """Return a second copy of a module, which no quick path changes."""
    spec = spec_from_file_location(module.__name__ + "_as_it_was", module.__file__)
    assert spec is not None
    assert spec.loader is not None
    copy = module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy


def outcome(function: Callable[..., object], *arguments: object) -> tuple[str, str]:
    """Return what a call returns or raises, as text that tells types and signs apart."""
    try:
        result = function(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever is raised is what is compared
        errors = [str(each) for each in getattr(error, "errors", [])]
        return type(error).__qualname__, f"{error} {errors}"
    return type(result).__qualname__, repr(result)
