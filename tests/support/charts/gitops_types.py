"""Manifests checked against Argo CD's and Flux's own types, as TypeScript has them.

The types are made from the Go sources of both (https://github.com/tommy351/kubernetes-models-ts, MIT); the compiler
refuses a field that is unknown, missing or of another kind. It comes from npm and is kept in the cache by version.
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.local.folders import cache_dir
from tests.support.needs import declared

_PACKAGES = ("@kubernetes-models/argo-cd@4.0.0", "@kubernetes-models/flux-cd@4.0.0", "typescript@5.9.3")
_OPTIONS = ["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext"]


def check_types(manifests: Sequence[dict[str, Any]]) -> None:
    """Raises AssertionError with the compiler's words when one is not as its type says."""
    lines = []
    for number, manifest in enumerate(manifests):
        group, _, version = manifest["apiVersion"].partition("/")
        package = "argo-cd" if group == "argoproj.io" else "flux-cd"
        kind = manifest["kind"]
        source = f"@kubernetes-models/{package}/{group}/{version}/{kind}"
        lines += [
            f'import type {{ I{kind} as T{number} }} from "{source}";',
            f"export const one{number}: T{number} = {json.dumps(manifest)};",
        ]
    packages = _installed()
    with tempfile.TemporaryDirectory(dir=packages) as folder:
        Path(folder, "manifests.mts").write_text("\n".join(lines))
        command = [packages / "node_modules" / ".bin" / "tsc", *_OPTIONS, "manifests.mts"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _installed() -> Path:
    declared("npm")
    folder = cache_dir() / "tests" / f"gitops-types-{_PACKAGES[0].rpartition('@')[2]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            new = Path(temporary, "new")
            new.mkdir()
            (new / "package.json").write_text('{"private": true, "type": "module"}')
            command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", *_PACKAGES]
            done = subprocess.run(command, cwd=new, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            try:
                new.rename(folder)
            except OSError:
                assert folder.is_dir()  # another test process was quicker
    return folder
