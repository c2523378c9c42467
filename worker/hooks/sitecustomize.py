"""What the worker adds to dpp's processes; Python imports a module of this name at every start.

It costs a few microseconds where it has nothing to do, and any Python from 3.6 on can read it.
"""

import os
import sys
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


class _WrapperFinder:
    """Lets `dppctl_wrapper` extend dpp's `wrapper` module when a processor imports it."""

    MODULE = "datapackage_pipelines.wrapper.wrapper"

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        if name != self.MODULE:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_extend(module):  # type: ignore[no-untyped-def]
                execute(module)
                import dppctl_wrapper

                dppctl_wrapper.extend(module)

            spec.loader.exec_module = execute_and_extend  # type: ignore[method-assign]
        return spec


def _import_the_hidden_one() -> None:
    """Import the `sitecustomize` that stands behind this one on the path, as Python would have done."""
    behind = [folder for folder in sys.path if os.path.abspath(folder or ".") != HERE]
    spec = PathFinder.find_spec("sitecustomize", behind)
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        spec.loader.exec_module(module_from_spec(spec))


_end_with_parent()
sys.meta_path.insert(0, _WrapperFinder())
_import_the_hidden_one()
INSPECT_FILE = os.environ.pop("DPPCTL_INSPECT_FILE", "")
if INSPECT_FILE:
    import dppctl_inspect

    dppctl_inspect.main(INSPECT_FILE)
