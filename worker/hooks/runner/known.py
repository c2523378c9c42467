"""What of datapackage-pipelines 2.2.11 was read before it was stood in for: SHA-256s, the first 16 digits of each.

A file of another content is not stood in for: its step runs in a process of its own, or dpp runs the pipeline.
"""

import hashlib
import os
from typing import Dict, Optional

# What a pipeline's processes are started, connected and followed by.
CORE = {
    "manager/runner.py": "79ad1d92f9333624",
    "manager/tasks.py": "ca6a3555ae5cf886",
    "utilities/extended_json.py": "96bcd9cff6e48c6e",
    "utilities/flow_utils.py": "3b1eab91b1b747cd",
    "wrapper/__init__.py": "e2d8020887087658",
    "wrapper/input_processor.py": "236e1346fe940ebe",
    "wrapper/wrapper.py": "cf604d6492ae2ad1",
}
SINK = "lib/internal/sink.py"
# The standard processors, `flow` (the workload's code) and `cache_loader` (writes lines by itself) left out.
PROCESSORS = {
    "lib/add_computed_field.py": "ec342b97c86400cd",
    "lib/add_metadata.py": "00220fb3d9bc4910",
    "lib/add_resource.py": "8d2725dd0450c8ba",
    "lib/concatenate.py": "e03f0ee677250223",
    "lib/deduplicate.py": "51d929e9a29c0feb",
    "lib/delete_fields.py": "b8ce57b9df023039",
    "lib/dump/to_path.py": "73a0c5342f0e1d04",
    "lib/dump/to_sql.py": "783124c030900752",
    "lib/dump/to_zip.py": "7467c011a74623e9",
    "lib/dump_to_path.py": "e391e5b7dc68bdd3",
    "lib/dump_to_sql.py": "b9c587d64dc90245",
    "lib/dump_to_zip.py": "7cd498b69850e67d",
    "lib/duplicate.py": "b24130ea5d129b8a",
    "lib/filter.py": "fc6f849174b539e2",
    "lib/find_replace.py": "f11759a3f64f05d8",
    "lib/join.py": "d7265bf59eece495",
    "lib/load.py": "ddedb38983903975",
    "lib/load_metadata.py": "06b59477099e8436",
    "lib/load_resource.py": "33e71cc8f6aa5a8c",
    "lib/printer.py": "12c24a5760ae25bb",
    "lib/set_types.py": "3bd2111277681594",
    "lib/sort.py": "a32d0cb48b689ef8",
    "lib/stream_remote_resources.py": "6d505bfca37a6836",
    "lib/unpivot.py": "0e043ae82d978a56",
    "lib/update_package.py": "695f7c7e54d2481f",
    "lib/update_resource.py": "fb4b88cdb4d2b36c",
    SINK: "7355cb116cd502d7",
}
_digests: Dict[str, str] = {}


def dpp_folder() -> str:
    """Return the folder of the package `datapackage_pipelines`."""
    import datapackage_pipelines

    return os.path.dirname(os.path.realpath(str(datapackage_pipelines.__file__)))


def unknown_core() -> Optional[str]:
    """Return the first file of dpp that is another than the one which was read, None when there is none."""
    folder = dpp_folder()
    return next((name for name, digest in CORE.items() if digest_of(os.path.join(folder, name)) != digest), None)


def standard_name(executor: str) -> Optional[str]:
    """Return which standard processor this file is (`lib/load.py`), None when it is none that is known."""
    name = os.path.relpath(os.path.realpath(executor), dpp_folder()).replace(os.sep, "/")
    digest = PROCESSORS.get(name)
    return name if digest and digest_of(os.path.realpath(executor)) == digest else None


def digest_of(path: str) -> str:
    """Return the first 16 digits of a file's SHA-256, `''` when it cannot be read."""
    if path not in _digests:
        try:
            with open(path, "rb") as file:
                _digests[path] = hashlib.sha256(file.read()).hexdigest()[:16]
        except OSError:
            return ""
    return _digests[path]
