"""A disk that really is full."""

from pathlib import Path

import pytest

from bot.images.builders.buildah.builder import Buildah
from bot.images.builders.interface import BuildPutOffError
from tests.support.builders import BUSYBOX, App, built
from tests.support.small_disk import small_disk


@pytest.mark.needs("buildah", "runc", "busybox", "root")
@pytest.mark.parametrize("kilobytes", [5000, 20000])
def test_a_full_disk_puts_the_build_off(tmp_path: Path, app: App, kilobytes: int) -> None:
    """The first is seen at the commit of the layer only, the second by the RUN."""
    write = f"{BUSYBOX}RUN busybox dd if=/dev/urandom of=/big bs=1k count={kilobytes}\n"
    with small_disk(tmp_path / "disk", 14_000) as disk:
        with pytest.raises(BuildPutOffError, match=r"^no space left on the disk that holds the builder's files"):
            built(Buildah(disk / "state"), app(write))
        assert list(disk.glob("state/apps/*/root/overlay-containers/*-*")) == []
