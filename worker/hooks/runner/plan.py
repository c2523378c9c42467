"""Decides before anything runs how a pipeline does: in lanes, in processes of the runner, or by dpp itself.

Whatever could tell the difference goes to dpp: `cache:`, `validate:`, `runner:`, variables that an interpreter reads
when it starts, a module of the workload that has the name of one that is loaded.
"""

import os
from typing import Any, Dict, Iterable, List, NamedTuple, Optional

from . import standard

LANE, OWN = "lane", "own"
# Variables that Python, the C library or the dynamic linker read once, when a process starts.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "MALLOC_", "GLIBC_")
_READ_AT_START_WHOLE = ("LANG", "LANGUAGE", "TZ", "TMPDIR", "DPP_PROCESSOR_PATH", "DPP_RUNNER_CONFIG")
_SUFFIXES = (".py", ".so", ".pyc")


class Plan(NamedTuple):
    """How each step runs (LANE or OWN), or why dpp runs the pipeline itself."""

    steps: List[str]
    reason: Optional[str]  # None: it runs here

    def as_text(self) -> str:
        """Return who runs it, and after a colon why it is not all in lanes."""
        if self.reason:
            return f"dpp: {self.reason}"
        own = [str(number) for number, step in enumerate(self.steps, 1) if step == OWN]
        if not own:
            return "lanes"
        reason = "step {} has a process of its own" if len(own) == 1 else "steps {} have processes of their own"
        by = "lanes" if len(own) < len(self.steps) else "processes"
        return f"{by}: {reason.format(', '.join(own))}"


def decide(spec: Any, loaded: Iterable[str]) -> Plan:
    """Return the plan for a pipeline as dpp has it.

    loaded: the names of the modules that are loaded, without dots.
    """
    steps = spec.pipeline_details.get("pipeline") or []
    reason = _reason_of_steps(steps) or _reason_of_environment(spec.environment or {})
    beside = [os.path.dirname(step["executor"]) for step in steps if standard.standard_name(step["executor"]) is None]
    beside = [folder for folder in beside if not folder.startswith(standard.dpp_folder())]
    reason = reason or _reason_of_modules(dict.fromkeys(beside), loaded)
    if reason:
        return Plan([], reason)
    return Plan([_way_of(step) for step in steps], None)


def _reason_of_steps(steps: List[Any]) -> Optional[str]:
    for number, step in enumerate(steps, 1):
        for key in ("cache", "validate", "runner"):
            if step.get(key):
                return f"step {number} has {key}"
    return None


def _reason_of_environment(environment: Dict[str, Any]) -> Optional[str]:
    for name in environment:
        if name.startswith(_READ_AT_START) or name in _READ_AT_START_WHOLE:
            return f"its environment sets {name}"
    return None


def _reason_of_modules(folders: Iterable[str], loaded: Iterable[str]) -> Optional[str]:
    names = set(loaded)
    for folder in folders:
        shadowing = modules_in(folder) & names
        if shadowing:
            return f"{min(shadowing)} in {os.path.basename(folder)} has the name of a module that is loaded"
    return None


def _way_of(step: Dict[str, Any]) -> str:
    if standard.standard_name(step["executor"]) is None:
        return OWN
    parameters = step.get("parameters") or {}
    # Classes of the workload's.
    return OWN if "file-formatters" in parameters or "custom_parsers" in parameters else LANE


_modules: Dict[str, Any] = {}


def modules_in(folder: str) -> Any:
    """Return the names of the modules and packages in a folder, as a set; the folder is read once."""
    if folder not in _modules:
        found = set()
        try:
            with os.scandir(folder or ".") as entries:
                for entry in entries:
                    name = entry.name.split(".")[0]
                    if entry.name.endswith(_SUFFIXES) or os.path.isfile(os.path.join(entry.path, "__init__.py")):
                        found.add(name)
        except OSError:
            pass
        _modules[folder] = found
    return _modules[folder]
