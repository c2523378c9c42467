"""A real registry on loopback, and images of a few bytes in it."""

import base64
import hashlib
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from textwrap import dedent

import requests

from tests.support.token_server import BASIC, PASSWORD, USER, TokenServer
from tests.support.waiting import eventually

_HTPASSWD = f"{USER}:$2y$04$fDaqXDxe.adF5FK0eLoZje2jADJGTUc0wspIIfV32rBEPjC/ykTsa\n"  # bcrypt: all that it knows

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class LocalRegistry:
    """docker-registry with a folder and a port of its own. Use `running_registry`, which ends it."""

    folder: Path
    auth: str = ""  # the `auth:` of its configuration, in YAML
    authorization: str = ""  # the header that `push` shows
    host: str = "127.0.0.1:0"  # with the port that it got at the first start, and keeps
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Returns when it answers."""
        config, log = self.folder / "config.yml", self.folder / "log"
        text = f"""
            version: 0.1
            log: {{level: info}}
            storage: {{filesystem: {{rootdirectory: {self.folder / "data"}}}, delete: {{enabled: true}}}}
            http: {{addr: "{self.host}", secret: hush}}
        """
        config.write_text(dedent(text) + (f"auth: {self.auth}\n" if self.auth else ""))
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "OTEL_"))}
        with log.open("wb") as out:
            command = ["docker-registry", "serve", str(config)]
            self._process = process = subprocess.Popen(command, env=clean, stdout=out, stderr=out)

        def listening() -> re.Match[str] | None:
            assert process.poll() is None, log.read_text()
            return re.search(r"listening on (127\.0\.0\.1:\d+)", log.read_text())

        self.host = eventually(listening, "the registry listens")[1]

    def stop(self) -> None:
        """What it holds stays in its folder; `start` serves it again at the same port."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def auth_file(self) -> Path:
        """The credentials for it, as `docker login` would write them."""
        return self.auth_file_with(PASSWORD)

    def auth_file_with(self, password: str) -> Path:
        """The same for another password."""
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        path = self.folder / f"auth-{password}.json"
        path.write_text(json.dumps({"auths": {self.host: {"auth": auth}}}))
        return path

    def push(
        self,
        image: str,
        labels: Mapping[str, str] | None = None,
        architecture: str = "amd64",
        *,
        layers: int = 0,
        config_type: str = "application/vnd.oci.image.config.v1+json",
    ) -> str:
        """Push an image of so many layers, with a file that holds the labels in each, as `NAME:TAG`; its digest."""
        name, tag = image.split(":")
        held = {"architecture": architecture, "os": "linux", "config": {"Labels": labels}}
        layer = "application/vnd.oci.image.layer.v1.tar"
        contents = [_tar(f"layer-{number}", json.dumps(labels).encode()) for number in range(layers)]
        parts = [{"mediaType": layer, **self._push_blob(name, content)} for content in contents]
        diffs = [part["digest"] for part in parts]
        history = [{"created_by": diff} for diff in diffs]
        config = self._push_blob(name, {**held, "rootfs": {"type": "layers", "diff_ids": diffs}, "history": history})
        content = {"config": {"mediaType": config_type, **config}, "layers": parts}
        return self._push_manifest(name, tag, OCI_MANIFEST, content)

    def blobs(self, image: str) -> list[str]:
        """The digests of an image's layers and then of its configuration, of `NAME:TAG`."""
        return self.blobs_of(*image.split(":"))

    def blobs_of(self, name: str, which: str) -> list[str]:
        """The same of an image by its tag or digest."""
        accept = {"Accept": f"{OCI_MANIFEST}, application/vnd.docker.distribution.manifest.v2+json"}
        manifest = self._ask("GET", f"{name}/manifests/{which}", accept).json()
        return [part["digest"] for part in (*manifest["layers"], manifest["config"])]

    def has(self, name: str, digest: str) -> bool:
        """Whether it has this part of an image."""
        with requests.Session() as session:
            session.trust_env = False
            return session.head(f"http://{self.host}/v2/{name}/blobs/{digest}", timeout=60).ok

    def digest_of(self, image: str) -> str:
        """What it says itself that `NAME:TAG` is."""
        name, tag = image.split(":")
        found = self._ask("HEAD", f"{name}/manifests/{tag}", {"Accept": OCI_MANIFEST})
        return found.headers["Docker-Content-Digest"]

    def tags(self, name: str) -> list[str]:
        """The tags of a repository, sorted."""
        return sorted(self._ask("GET", f"{name}/tags/list").json()["tags"] or [])

    def lose(self, name: str, digest: str) -> None:
        """Delete a part of an image, whose manifest stays; a registry that cleans up wrongly does that."""
        self._ask("DELETE", f"{name}/blobs/{digest}")

    def push_index(self, image: str, labels: Mapping[str, Mapping[str, str]]) -> str:
        """Push one image an architecture, with these labels, and `NAME:TAG` as the index of them; its digest."""
        name, tag = image.split(":")
        entries = []
        for architecture, its in labels.items():
            digest = self.push(f"{name}:{tag}-{architecture}", its, architecture)
            size = int(
                self._ask("HEAD", f"{name}/manifests/{digest}", {"Accept": OCI_MANIFEST}).headers["Content-Length"]
            )
            platform = {"os": "linux", "architecture": architecture}
            entries.append({"mediaType": OCI_MANIFEST, "digest": digest, "size": size, "platform": platform})
        return self._push_manifest(name, tag, OCI_INDEX, {"manifests": entries})

    def digest(self, name: str) -> str:
        """What skopeo, which is none of ours, says that HOST/NAME:TAG is here."""
        return self._skopeo("--format={{.Digest}}", name)

    def config(self, name: str) -> str:
        """The configuration of an image, as skopeo reads it."""
        return self._skopeo("--config", name)

    def _skopeo(self, option: str, name: str) -> str:
        asked = ["skopeo", "inspect", "--tls-verify=false", option, f"docker://{name}"]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()

    def delete(self, name: str, digest: str) -> None:
        """Delete an image, with all its tags."""
        self._ask("DELETE", f"{name}/manifests/{digest}")

    def _push_blob(self, name: str, content: object) -> dict[str, object]:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        upload = self._ask("POST", f"{name}/blobs/uploads/").headers["Location"]
        self._ask("PUT", f"{upload}&digest={digest}", {"Content-Type": "application/octet-stream"}, body)
        return {"digest": digest, "size": len(body)}

    def _push_manifest(self, name: str, tag: str, media_type: str, content: Mapping[str, object]) -> str:
        body = json.dumps({"schemaVersion": 2, "mediaType": media_type, **content}).encode()
        answer = self._ask("PUT", f"{name}/manifests/{tag}", {"Content-Type": media_type}, body)
        return answer.headers["Docker-Content-Digest"]

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> requests.Response:
        url = path if "://" in path else f"http://{self.host}/v2/{path}"
        sent = {"Authorization": self.authorization, **(headers or {})} if self.authorization else headers
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, url, headers=sent, data=body, timeout=60)
        assert answer.ok, f"{method} {url}: {answer.status_code} {answer.text}"
        return answer


def _tar(name: str, content: bytes) -> bytes:
    archive = BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        tar.addfile(member, BytesIO(content))
    return archive.getvalue()


@contextmanager
def running_registry(
    folder: Path, *, password: bool = False, tokens: TokenServer | None = None
) -> Iterator[LocalRegistry]:
    """One that ends with the test.

    With `password` it lets in USER with PASSWORD only; with `tokens` who shows one of that server's.
    """
    registry = LocalRegistry(folder)
    folder.mkdir(parents=True)
    if password:
        (folder / "htpasswd").write_text(_HTPASSWD)
        registry.auth = f"{{htpasswd: {{realm: test, path: {folder / 'htpasswd'}}}}}"
        registry.authorization = BASIC
    if tokens:
        registry.auth = tokens.registry_auth
        registry.authorization = f"Bearer {tokens.sign('ann/app', ['pull', 'push'])}"
    try:
        registry.start()
        yield registry
    finally:
        registry.stop()
