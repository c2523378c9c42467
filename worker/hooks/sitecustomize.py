"""What the worker adds to dpp's processes; Python imports a module of this name at every start.

It costs a few microseconds where it has nothing to do, and any Python from 3.6 on can read it.
"""

import os
import sys
from importlib import import_module
from importlib.machinery import PathFinder

HERE = os.path.dirname(os.path.abspath(__file__))


def _end_with_parent() -> None:
    """Have the kernel end dpp when the worker is killed, and a processor when dpp is (Linux: prctl(2))."""
    owner = os.environ.pop("DPPCTL_OWNER", "")
    role, _, pid = owner.partition(":")
    if pid != str(os.getppid()):
        return
    if role == "worker":
        os.environ["DPPCTL_OWNER"] = "dpp:" + str(os.getpid())
    if sys.platform.startswith("linux"):
        import ctypes
        import signal

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


EXTENDED = {
    "datapackage_pipelines.wrapper.wrapper": ("dppctl_wrapper", "extend"),
    "datapackage_pipelines.wrapper.input_processor": ("dppctl_wrapper", "extend_input"),
    "dataflows.processors.sort_rows": ("dppctl_wrapper", "extend_sort"),
    "datapackage_pipelines.generators.generator_base": ("dppctl_manager", "extend_generators"),
}
EXTENDED_IN_A_RUN = {
    "datapackage_pipelines.manager.runner": ("dppctl_manager", "extend_runner"),
    "datapackage_pipelines.status.backend_filesystem": ("dppctl_manager", "extend_state"),
    "datapackage_pipelines.status.hook_sender": ("dppctl_manager", "extend_hooks"),
}
# Quick paths (runner/quick), by the module after which, or before which, each is installed.
QUICK_AFTER = {
    "datapackage.profile": "profiles",
    "datapackage_pipelines.utilities.extended_json": "lines",
    "tableschema.schema": "fields",
    "tableschema.table": "csv_in",
    "dataflows.base.schema_validator": "rows",
    "dataflows.processors.load": "strip",
    "dataflows.processors.filter_rows": "steps",  # the last of those three
    "dataflows.processors.dumpers.file_dumper": "file_dump",
    "dataflows.processors.dumpers.formats.format_csv": "csv_out",
    "datapackage_pipelines.lib.dump.dumper_base": "old_dump",
    "dataflows.processors.dumpers.to_sql": "sql_batches",
    "tableschema_sql.storage": "sql",
}
QUICK_BEFORE = {"datapackage_pipelines": "imports", "dataflows": "imports"}


class _Extender:
    """Has a module of dpp changed by one of ours when it is imported."""

    def __init__(self, result_file: str) -> None:
        """result_file: where `dpp run` of the worker writes its result; "" in all other processes."""
        self._result_file = result_file
        self._waiting = dict(EXTENDED, **(EXTENDED_IN_A_RUN if result_file else {}))
        # A shell of `dppctl ssh` has the modules from where they lie, where that package has another name.
        has_package = os.path.isdir(os.path.join(HERE, "dppctl_hooks"))
        quick = has_package and os.environ.get("DPPCTL_QUICK", "1") != "0"
        self._quick_before = dict(QUICK_BEFORE) if quick else {}
        self._quick_after = dict(QUICK_AFTER) if quick else {}

    def extend_again(self, prefixes):  # type: ignore[no-untyped-def]
        """Change modules of these names once more: they are imported anew, in a process that was forked."""
        self._waiting.update((name, ours) for name, ours in EXTENDED.items() if name.startswith(prefixes))

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        if name in self._quick_before:
            _install_quick(self._quick_before.pop(name))
        ours, quick = self._waiting.pop(name, None), self._quick_after.pop(name, None)
        if ours is None and quick is None:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_extend(module):  # type: ignore[no-untyped-def]
                execute(module)
                if ours is not None:
                    extend = getattr(import_module(ours[0]), ours[1])
                    extend(module, self._result_file)
                if quick is not None:
                    _install_quick(quick)

            spec.loader.exec_module = execute_and_extend  # type: ignore[method-assign]
        return spec


def _install_quick(name: str) -> None:
    import_module("dppctl_hooks.quick").install(name)


def _import_the_hidden_one() -> None:
    """Import the `sitecustomize` that stands behind this one on the path, as Python would have done."""
    behind = [folder for folder in sys.path if os.path.abspath(folder or ".") != HERE]
    spec = PathFinder.find_spec("sitecustomize", behind)
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        spec.loader.exec_module(module_from_spec(spec))


def workload_path():  # type: ignore[no-untyped-def]
    """Return the folders of the workload in which modules are found that are not installed."""
    return [folder for folder in os.environ.get("DPPCTL_WORKLOAD_PATH", "").split(os.pathsep) if folder]


_end_with_parent()
sys.path.extend(workload_path())  # type: ignore[no-untyped-call]
sys.meta_path.insert(0, _Extender(os.environ.pop("DPPCTL_RESULT_FILE", "")))
_import_the_hidden_one()
SERVE_ON = os.environ.pop("DPPCTL_SERVE_ON", "")
INSPECT_FILE = os.environ.pop("DPPCTL_INSPECT_FILE", "")
if SERVE_ON:
    try:
        from dppctl_hooks.server import main
    except Exception as error:  # noqa: BLE001 - a Python that is too old for it still lists the pipelines
        sys.stderr.write(f"the runner cannot be loaded: {error}\n")
        if not INSPECT_FILE:  # nothing for `dpp` to do
            sys.stderr.flush()
            os._exit(1)
    else:
        main(int(SERVE_ON), INSPECT_FILE)
if INSPECT_FILE:
    import dppctl_inspect

    dppctl_inspect.main(INSPECT_FILE)
