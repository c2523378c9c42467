"""The files of datapackage-pipelines 2.2.11 that were read before they were stood in for, by their SHA-256.

A file of another content is not stood in for: its step runs in a process of its own, or dpp runs the pipeline.
"""

import os
from functools import lru_cache
from typing import Optional

from .quick.known import digest, package_folder, unknown

RELEASE = "datapackage-pipelines 2.2.11"
PACKAGE = "datapackage_pipelines"
# What a pipeline's processes are started, connected and followed by.
CORE = {
    "manager/runner.py": "79ad1d92f93336245a3c3529d205ea4d0a8bcf81f5e80a49fea29de73bf55b9c",
    "manager/tasks.py": "ca6a3555ae5cf8862683cf5513af0926e71d5cd1591e65d2937b2ddc5a0582e7",
    "utilities/extended_json.py": "96bcd9cff6e48c6e7fddef69a642b409ae93bcdfe1d30a3385adf65b2d8a66de",
    "utilities/flow_utils.py": "3b1eab91b1b747cdcf4a4b7e0c840c2232481e8c8dade3c4268dfd5a2d8aee37",
    "wrapper/__init__.py": "e2d8020887087658f9b3e0803b8ba133fcbc31e4a1106c74ecc8fdfe36d6d9fa",
    "wrapper/input_processor.py": "236e1346fe940ebeb6106db98285f6fdba0cd0c4eb1efca39fc9aa78c47c7a7b",
    "wrapper/wrapper.py": "cf604d6492ae2ad1c249a3597ba0926ddfeb435ed1cf8b2b6779de90643fbc27",
}
SINK = "lib/internal/sink.py"
# The standard processors, `flow` (the workload's code) and `cache_loader` (writes lines by itself) left out.
PROCESSORS = {
    "lib/add_computed_field.py": "ec342b97c86400cde674f316fe1bcb585156492327b30c57029a5bf07d4819e6",
    "lib/add_metadata.py": "00220fb3d9bc4910d4ee3c7d95b8bd6c7a5ae8a53c4e39257d1f52734f938b0a",
    "lib/add_resource.py": "8d2725dd0450c8bae7bdec645d9b590feea543d0851f684e0679f159edf42aec",
    "lib/concatenate.py": "e03f0ee6772502233a957f41c5c2a9a1fac0ee7ab8cae1117e6524c22fb5c74f",
    "lib/deduplicate.py": "51d929e9a29c0feb385a28db86abd7258f8ff50baa3ff29e5e95cea732177a60",
    "lib/delete_fields.py": "b8ce57b9df023039109f30cef4f3fda3a6e556cb3bc7b41290c09389fd250e90",
    "lib/dump/to_path.py": "73a0c5342f0e1d04dafa92409c0bb92513d4b2f01d1c708fb21c528a2f3c63de",
    "lib/dump/to_sql.py": "783124c0309007523054d806254c35fa7703f8b8003729a6319b6991f247b31c",
    "lib/dump/to_zip.py": "7467c011a74623e9c639d42b29e8d4ee04e6fbf6025cd1a8b7edd7b6a53fb668",
    "lib/dump_to_path.py": "e391e5b7dc68bdd332de39125f2f1c226e2802d42a0d70af77faa4bf16defa0b",
    "lib/dump_to_sql.py": "b9c587d64dc902453a354b942c82c0119c73ce8e118711d8d4c703391c6950ea",
    "lib/dump_to_zip.py": "7cd498b69850e67da9f3db88b3a980b81c832431fd2150d97974f8779def06ff",
    "lib/duplicate.py": "b24130ea5d129b8ace3d1b1d1d32bb220385ae5aa9591ee868c4b2ce25228844",
    "lib/filter.py": "fc6f849174b539e236522b06c075d354626df0f601675902ec512f9bcd360bfb",
    "lib/find_replace.py": "f11759a3f64f05d840a4016ee57b55d493ad832489d0a68da5935ff82cf05a81",
    "lib/join.py": "d7265bf59eece49597616f98873ecd7df9f6be7d95d55fe36eb1016e49938f0d",
    "lib/load.py": "ddedb3898390397569863366cb8be3e9f530f966e2cabba24306f0ef0eb33a98",
    "lib/load_metadata.py": "06b59477099e843696155f6fda3750ac0e9d67cb8b1e49ad646cbf52f9140e7b",
    "lib/load_resource.py": "33e71cc8f6aa5a8c6b7ae568963ff10ed17be0f3989c0f6d54ac2e6daf53abfc",
    "lib/printer.py": "12c24a5760ae25bb28ebd10a5d7a1210e02ce44a806dfcc2ede5be38f61449c8",
    "lib/set_types.py": "3bd2111277681594f59c106be20120d4c60e85c8929540366cfc2d0e15e5cd8c",
    "lib/sort.py": "a32d0cb48b689ef8e1660713715676677d5295dabb4d2e2e6988c6d8e73317ce",
    "lib/stream_remote_resources.py": "6d505bfca37a683624415441ff227d158a7cb774cb2afed55f6b031f7525db0e",
    "lib/unpivot.py": "0e043ae82d978a56fad1349bb0e7fa75071e56e803a1d76c3e6d29dd4a222472",
    "lib/update_package.py": "695f7c7e54d2481f2f4273e63302f4a419e6268c6c554fcaa08361b458401c43",
    "lib/update_resource.py": "fb4b88cdb4d2b36ce29a93d21d6fbbdf3fd860645a253fbc268d2f17e86e1688",
    SINK: "7355cb116cd502d7c7a0f3e3313091aef3f65433f3734b317c2721c3c65efc75",
}


def unknown_core() -> Optional[str]:
    """Return which file of dpp is another than the one that was read, in words; None when none is."""
    return unknown(RELEASE, {f"{PACKAGE}/{name}": expected for name, expected in CORE.items()})


@lru_cache(maxsize=None)
def standard_name(executor: str) -> Optional[str]:
    """Return which standard processor this file is (`lib/load.py`), None when it is none that is known."""
    path = os.path.realpath(executor)
    name = os.path.relpath(path, dpp_folder()).replace(os.sep, "/")
    expected = PROCESSORS.get(name)
    return name if expected and digest(path) == expected else None


def dpp_folder() -> str:
    """Return the folder of the package `datapackage_pipelines`."""
    return os.path.realpath(package_folder(PACKAGE) or "")
