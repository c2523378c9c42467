"""Any cluster stands in: KUBECONFIG leads to it, DPPCTL_TEST_CLUSTER_REGISTRY (HOST[:PORT]) is where it pulls from.

DPPCTL_TEST_CLUSTER_POSTGRES names a PostgreSQL image that it can pull; left out, the chart's default.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.cluster import ClusterImages, Namespace
from tests.support.images import ensure_images
from tests.support.needs import needs
from worker.zipapp_builder import build as build_worker


@pytest.fixture(scope="session")
@needs("a cluster", "buildah", "podman", "busybox", "helm")
def cluster_images(runtime: DppEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterImages]:
    registry = os.environ.get("DPPCTL_TEST_CLUSTER_REGISTRY", "")
    folder = tmp_path_factory.mktemp("images")
    images = ensure_images(runtime)
    postgres = os.environ.get("DPPCTL_TEST_CLUSTER_POSTGRES")
    bare = ClusterImages(images, registry, "", "", postgres)
    python = bare.push(images.python, "python")
    context = folder / "worker"
    context.mkdir()
    build_worker(context / "worker.pyz")
    worker = bare.build_in(context, "worker", f"FROM {images.python}\nCOPY worker.pyz /opt/dppctl/worker.pyz\n")
    yield ClusterImages(images, registry, worker, python, postgres)
    images.clear()


@pytest.fixture(scope="session")
@needs("rclone")
def rclone(cluster_images: ClusterImages, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with this machine's rclone, which needs nothing but the C library."""
    context = tmp_path_factory.mktemp("rclone")
    shutil.copy(str(shutil.which("rclone")), context / "rclone")
    return cluster_images.build_in(
        context, "rclone", f"FROM {cluster_images.images.python}\nCOPY rclone /usr/local/bin/rclone\n"
    )


@pytest.fixture
@needs("helm")
def namespace(cluster_images: ClusterImages, tmp_path: Path) -> Iterator[Namespace]:  # noqa: ARG001  # or there is none
    made = Namespace(f"dppctl-test-{secrets.token_hex(4)}", tmp_path)
    made.kubectl("create", "namespace", made.name)
    yield made
    made.kubectl("delete", "namespace", made.name, "--wait=false")
