"""A registry on loopback, as `docker-registry` serves it."""

import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.support.images import Images
from tests.support.waiting import eventually


@dataclass
class Registry:
    """Images are pushed to it and then removed here, so whoever wants one has to pull it."""

    folder: Path
    images: Images

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        config = self.folder / "registry.json"  # YAML too
        storage = f'{{"filesystem": {{"rootdirectory": "{self.folder}/registry"}}}}'
        config.write_text(f'{{"version": 0.1, "storage": {storage}, "http": {{"addr": "{self.host}"}}}}')
        self._process = subprocess.Popen(
            [shutil.which("docker-registry") or "docker-registry", "serve", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._answers, "the registry answers")

    def push(self, image: str) -> str:
        """Push an image of the storage; HOST/NAME@DIGEST, which is not in the storage."""
        name = f"{self.host}/{image.partition('/')[2].partition('@')[0]}"
        digest = self.folder / "digest"
        options = ["--quiet", "--tls-verify=false", "--disable-compression", "--digestfile", str(digest)]
        self.images.run("buildah", "push", *options, image.partition("@")[0], name)
        self.images.run("podman", "rmi", "--force", image.partition("@")[0])
        pushed = f"{name}@{digest.read_text()}"
        self.images.made.append(pushed)
        return pushed

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _answers(self) -> bool:
        try:
            return requests.get(f"http://{self.host}/v2/", timeout=1).ok
        except requests.RequestException:
            return False
