"""A stand-in for minikube."""

import os
from pathlib import Path

import pytest
from ruamel.yaml import YAML

# What minikube 1.3x prints, and its exit code for a cluster that is not there:
# https://minikube.sigs.k8s.io/docs/commands/status/
# With a file `minikube.slow` beside it a start takes until that file is gone.
MINIKUBE = """#!/bin/sh
echo "$@" >> "$0.calls"
case "$1" in
status) [ -s "$0.running" ] || { echo '* Profile "minikube" not found.'; exit 85; }
        echo '{"Name":"minikube","Host":"Running","APIServer":"Running","Kubeconfig":"Configured"}';;
start) echo '* Downloading Kubernetes'
       while [ -e "$0.slow" ]; do sleep 0.05; done
       [ -e "$0.refuses" ] && { echo 'X Exiting due to DRV_NOT_HEALTHY: no driver' >&2; exit 69; }
       echo yes > "$0.running";;
delete) : > "$0.running";;
esac
"""


def put_minikube(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Put the stand-in first on the PATH, and return it."""
    program = folder / "minikube-bin" / "minikube"
    program.parent.mkdir()
    program.write_text(MINIKUBE)
    program.chmod(0o755)
    patch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program


def as_minikubes(kubeconfig: str, folder: Path) -> str:
    """Return a file that has the API server as the context that minikube makes."""
    yaml = YAML(typ="safe")
    found = yaml.load(Path(kubeconfig).read_text())
    found["contexts"] = [{**found["contexts"][0], "name": "minikube"}]
    found["current-context"] = "minikube"
    file = folder / "minikube-kubeconfig"
    with file.open("w") as written:
        yaml.dump(found, written)
    return str(file)
