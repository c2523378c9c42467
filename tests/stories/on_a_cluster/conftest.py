"""Any cluster stands in: KUBECONFIG leads to it, DPPCTL_TEST_CLUSTER_REGISTRY (HOST[:PORT]) is where it pulls from.

DPPCTL_TEST_CLUSTER_POSTGRES names a PostgreSQL image that it can pull; left out, the chart's default.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.local.workers.dpp_environment import DppEnvironment
from tests.support.cluster import ClusterImages, Namespace, open_cluster_images, open_namespace
from tests.support.needs import needs
from tests.support.own_image import own_image
from tests.support.publisher.buckets import RCLONE


@pytest.fixture(scope="session")
@needs("a cluster", "buildah", "podman", "busybox", "helm")
def cluster_images(runtime: DppEnvironment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterImages]:
    with open_cluster_images(runtime, tmp_path_factory.mktemp("images")) as images:
        yield images


@pytest.fixture(scope="session")
@needs("a cluster", "helm")
def dppctl_image(cluster_images: ClusterImages) -> str:
    """dppctl's own image, in the cluster's registry."""
    return cluster_images.push(own_image(cluster_images.images), "dppctl")


@pytest.fixture(scope="session")
def rclone(cluster_images: ClusterImages, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with the rclone of the tests, which needs nothing but the C library."""
    context = tmp_path_factory.mktemp("rclone")
    shutil.copy(RCLONE, context / "rclone")
    return cluster_images.build_in(
        context, "rclone", f"FROM {cluster_images.images.python}\nCOPY rclone /usr/local/bin/rclone\n"
    )


@pytest.fixture
@needs("helm")
def namespace(cluster_images: ClusterImages, tmp_path: Path) -> Iterator[Namespace]:  # noqa: ARG001  # or there is none
    with open_namespace(tmp_path) as made:
        yield made
