"""Which images an app's registration lets it take with the bot's login."""

import pytest

from bot.errors import DppctlError
from bot.model.registration import parse_registration

ENTRY = "apps:\n- appRepoPath: ann/app\n  opsRepoPath: ann/ops\n  environments: [staging]\n  images: {images}\n"


def test_images_are_named_with_their_host() -> None:
    (target,) = parse_registration(ENTRY.format(images="[ghcr.io/ann/base, ann/tools]"), "apps.yaml")
    assert target.images == {"ghcr.io/ann/base", "docker.io/ann/tools"}


@pytest.mark.parametrize("image", ["ghcr.io/ann/base:1", "ghcr.io/ann/base:latest", "ghcr.io/*", "'ghcr.io/Ann/x'"])
def test_a_tag_or_a_pattern_is_refused_with_the_place(image: str) -> None:
    with pytest.raises(DppctlError, match=r"^apps\.yaml:2.*images: "):
        parse_registration(ENTRY.format(images=f"[{image}]"), "apps.yaml")
