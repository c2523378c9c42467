"""Kubeconfig files of servers on loopback."""

import json
from pathlib import Path


def kubeconfig_of(folder: Path, server: str, current: str | None = "mine") -> str:
    """Write a kubeconfig file with the contexts `mine` and `other`, both of this server."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("mine", "other")],
        "users": [{"name": "u", "user": {"token": "t0k3n"}}],
        **({"current-context": current} if current else {}),
    }
    file = folder / "kubeconfig"
    file.write_text(json.dumps(content))
    return str(file)
