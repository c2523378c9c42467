"""Quick paths through dpp's own code: same results and same errors, in less time.

Each module has `applies()`, which returns None or why it does not apply (what it stands in for is not the known
release), and `install()`. Whatever is unusual goes the way it always went.
"""

from importlib import import_module
from typing import Dict, List, Optional

MODULES = {
    "imports": ".imports",
    "profiles": ".profiles",
    "lines": "..lines",
    "fields": ".fields",
    "rows": ".rows",
    "strip": ".strip",
    "steps": ".steps",
    "csv_in": ".csv_in",
    "csv_out": ".csv_out",
    "file_dump": ".file_dump",
    "old_dump": ".old_dump",
    "sql": ".sql",
    "sql_batches": ".sql_batches",
}
_reasons: Dict[str, Optional[str]] = {}


def install_all() -> List[str]:
    """Install every module that applies; return why others were left out."""
    return [f"{name}: {install(name)}" for name in MODULES if install(name) is not None]


def install(name: str) -> Optional[str]:
    """Install this module if it applies, once in a process; return why it does not, or None."""
    if name not in _reasons:
        module = import_module(MODULES[name], __name__)
        try:
            _reasons[name] = module.applies()
            if _reasons[name] is None:
                module.install()
        except Exception as error:  # noqa: BLE001 - an environment that nobody tried: dpp itself works there
            _reasons[name] = f"{type(error).__name__}: {error}"
    return _reasons[name]
