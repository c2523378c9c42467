"""What docs/images.md says of images: buildah, a real registry, and a containers storage of the test's."""

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.support.builders import DOCKERFILE
from tests.support.docs.pages import block_from
from tests.support.docs.shell import Shell, put
from tests.support.forge import APP, Forge
from tests.support.images import configure_storage
from tests.support.registry import running_registry
from tests.support.workloads import write_files


@pytest.mark.needs("buildah", "runc", "skopeo", "busybox", "podman", "apt", "root")
def test_an_image_and_where_it_goes(shell: Shell, tmp_path: Path) -> None:
    app = Forge(tmp_path).repository("ann/app")
    shutil.copy(shutil.which("busybox") or "", app.work / "busybox")
    app.push({**APP, "Dockerfile": DOCKERFILE})
    with running_registry(tmp_path / "registry", password=True) as registry:
        mine = {"registry.example.org": registry.host, "/etc/dppctl/registry.json": str(registry.auth_file)}
        settings = put(block_from("docs/images.md", "DPPCTL_REGISTRY="), mine)
        config = write_files(tmp_path / "config", {".env": settings})
        shell.folder = app.work
        built = shell.types(
            "dppctl build [DIR] [--app OWNER/REPO/PATH] [--rebuild] [--config FOLDER]",
            {
                "[DIR]": ".",
                "[--app OWNER/REPO/PATH]": "--app ann/app",
                "[--rebuild]": "--rebuild",
                "[--config FOLDER]": f"--config {config}",
            },
        )
        assert built.startswith(f"{registry.host}/data/ann/app@sha256:")
        tree = shell.types("git rev-parse HEAD:PATH", {"PATH": ""}).strip()
        shell.environment["REGISTRY_AUTH_FILE"] = str(registry.auth_file)
        (tag,) = registry.tags("data/ann/app")
        assert tag.startswith(f"{tree}-")
        name = f"docker://{registry.host}/data/ann/app:{tag}"
        digest = shell.prepares(f"skopeo inspect --tls-verify=false --format '{{{{.Digest}}}}' {name}").strip()
        assert built.endswith(f"@{digest}\n")

        (tmp_path / "storage").mkdir()
        with tempfile.TemporaryDirectory(prefix="dppctl-") as run:
            shell.environment |= configure_storage(tmp_path / "storage", Path(run))
            shell.prepares(f"podman pull --quiet --tls-verify=false {built.strip()}")
            shell.types("podman image prune --all", given="y\n")
            assert shell.prepares("podman images --quiet") == ""
    shell.types("apt install buildah runc uidmap", more="--simulate")  # the names of the packages
