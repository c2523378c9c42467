"""Answers as OSV's service does, from a file of advisories, so that pip-audit needs no network.

    python .ci/advisories.py FILE COMMAND…        {url} in COMMAND: where it is asked, while COMMAND runs

FILE: OSV's own dump of PyPI's advisories (all.zip), a folder such as PyPA's advisory-database, or one JSON file with an
advisory or a list of them. The form: https://ossf.github.io/osv-schema/. How a version is looked for:
https://ossf.github.io/osv-schema/#evaluation. What is asked: https://google.github.io/osv.dev/post-v1-query/.
"""

import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from packaging.version import InvalidVersion, Version

Advisory = Mapping[str, Any]
_LIMITS = ("introduced", "fixed", "last_affected")


def main(arguments: Sequence[str]) -> int:
    """Run a command beside the service, and return its exit code."""
    source, *command = arguments
    known: dict[str, list[Advisory]] = defaultdict(list)
    for advisory in read_advisories(Path(source)):
        for name in {plain(found["package"]["name"]) for found in affected_packages(advisory)}:
            known[name].append(advisory)
    if not known:
        sys.exit(f"{source}: there is no advisory about a package of PyPI in it")
    print(f"{source}: advisories about {len(known):,} packages", flush=True)

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name, version = plain(asked["package"]["name"]), asked["version"]
            body = json.dumps({"vulns": [each for each in known[name] if is_affected(each, name, version)]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1/query"
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    return subprocess.run([part.replace("{url}", url) for part in command], env=environment, check=False).returncode


def read_advisories(source: Path) -> Iterator[Advisory]:
    """Yield the advisories of a file or folder. Raises OSError and ValueError."""
    if source.is_dir():
        files = sorted(file for file in source.rglob("*") if file.suffix in (".json", ".yaml"))
        texts = [(file.suffix, file.read_bytes()) for file in files]
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            texts = [(".json", archive.read(name)) for name in archive.namelist() if name.endswith(".json")]
    else:
        texts = [(".json", source.read_bytes())]
    for suffix, text in texts:
        found = json.loads(text) if suffix == ".json" else yaml.load(text, yaml.CBaseLoader)  # noqa: S506 (texts only)
        yield from found if isinstance(found, list) else [found]


def affected_packages(advisory: Advisory) -> list[Mapping[str, Any]]:
    """Return what an advisory says of packages of PyPI; nothing once it was withdrawn."""
    entries = [] if advisory.get("withdrawn") else advisory.get("affected") or []
    return [entry for entry in entries if (entry.get("package") or {}).get("ecosystem") == "PyPI"]


def is_affected(advisory: Advisory, name: str, version: str) -> bool:
    """Return whether an advisory is about this version of a package."""
    asked = Version(version)
    entries = [entry for entry in affected_packages(advisory) if plain(entry["package"]["name"]) == name]
    return any(
        asked in filter(None, map(_version, entry.get("versions") or []))
        or any(_is_within(asked, each["events"]) for each in entry.get("ranges") or [] if each["type"] == "ECOSYSTEM")
        for entry in entries
    )


def plain(name: str) -> str:
    """Return a package's name as it is compared: https://peps.python.org/pep-0503/#normalized-names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _is_within(version: Version, events: Sequence[Mapping[str, str]]) -> bool:
    found = [(_version(text) or Version("0"), kind) for event in events for kind, text in event.items()]
    is_within = False
    for limit, kind in sorted(each for each in found if each[1] in _LIMITS):
        if kind == "introduced":
            is_within |= version >= limit or limit == Version("0")
        elif version > limit or (kind == "fixed" and version == limit):
            is_within = False
    return is_within


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
        sys.exit(f"{sys.argv[1] if sys.argv[1:] else 'FILE'}: no advisories can be read there: {problem!r}")
