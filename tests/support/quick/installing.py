"""Installs all quick paths in a child of dpp's Python and tells what came of it."""

import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.support.quick.comparing import serve

LATE = ["openpyxl", "redis", "sqlalchemy", "tableschema_sql"]


def installed(own_modules: Any) -> Any:
    """Return the reasons and which late packages are imported, in a child with these modules of the user's."""
    reader, writer = os.pipe()
    if not (child := os.fork()):
        with tempfile.TemporaryDirectory() as folder, os.fdopen(writer, "w") as answer:
            for name in own_modules:
                Path(folder, f"{name}.py").touch()
            sys.path.insert(0, folder)
            reasons = import_module("dppctl_hooks.quick").install_all()
            import_module("datapackage_pipelines.wrapper")
            dumper = import_module("dataflows.processors.dumpers.to_sql")
            imported = [name for name in LATE if name in sys.modules]
            answer.write(repr({"reasons": reasons, "imported": imported}))
            answer.flush()
            assert dumper.create_engine("sqlite://").dialect.name == "sqlite"
            assert issubclass(import_module("tableschema_sql").Storage, object)
            assert isinstance(dumper.Storage, type) or repr(dumper.Storage).startswith("<class")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    assert os.waitpid(child, 0)[1] == 0
    return eval(text)  # what the child wrote


if __name__ == "__main__":
    serve(installed)
