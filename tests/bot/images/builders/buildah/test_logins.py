"""An app takes no other app's private image with the bot's login, in whatever way its Dockerfile asks for it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.images.builders.buildah.builder import Buildah
from bot.images.builders.interface import BuildError, Order
from tests.support.builders import BUSYBOX, App, built
from tests.support.needs import needs
from tests.support.registry import LocalRegistry, running_registry

WAYS = {
    "FROM": "FROM {image}\n",
    "COPY": "FROM scratch\nCOPY --from={image} /bin/busybox /x\n",
    "mount": BUSYBOX + "RUN --mount=type=bind,from={image},target=/seen busybox ls /seen\n",
    "ARG": "ARG BASE={image}\nFROM $BASE\n",
    "ONBUILD": "FROM {base}\nRUN echo\n",
}


@pytest.fixture(scope="module")
@needs("docker-registry", "skopeo")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRegistry]:
    """It lets in only who has the password, which is the bot's."""
    with running_registry(tmp_path_factory.mktemp("private") / "registry", password=True) as registry:
        yield registry


def of(order: Order, **changes: object) -> Order:
    return Order(**{**vars(order), **changes})


def test_only_with_the_bots_login_and_not_for_another_app(
    tmp_path: Path, private: LocalRegistry, registry: LocalRegistry, app: App
) -> None:
    builder = Buildah(tmp_path / "own", auth_file=private.auth_file)
    image = f"{private.host}/ann/secret"
    built(builder, app(BUSYBOX, destination=f"{image}:1", app="ann/secret"))
    base = f"{registry.host}/bob/onbuild:1"
    built(builder, app(f"{BUSYBOX}ONBUILD COPY --from={image}:1 /bin/busybox /x\n", destination=base, app="bob/base"))
    for name, text in WAYS.items():
        order = app(text.format(image=f"{image}:1", base=base).replace("\n    ", "\n"), app=f"bob/{name}")
        other = of(order, destination=f"{private.host}/bob/app:{name}", logins={f"{private.host}/bob/app"})
        with pytest.raises(
            BuildError, match=rf"{re.escape(image)}.* may not use dppctl's there.*`images:` in apps.yaml"
        ):
            built(builder, other)
        if name in ("FROM", "ONBUILD"):
            built(builder, of(other, app=f"bob/{name}", logins={f"{private.host}/bob/app", image}))
