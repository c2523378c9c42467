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


def test_who_may_deploy_stands_in_a_list_or_is_left_to_the_repository() -> None:
    text = "apps:\n- {appRepoPath: a/b, opsRepoPath: a/ops, environments: [x]%s}\n"
    listed = parse_registration(text % ", mayDeploy: ['github:1', OriHoch, 'org:hasadna']", "apps.yaml")
    assert {target.may_deploy for target in listed} == {("github:1", "OriHoch", "org:hasadna")}
    assert {target.may_deploy for target in parse_registration(text % "", "apps.yaml")} == {None}
    assert {target.may_deploy for target in parse_registration(text % ", mayDeploy: []", "apps.yaml")} == {()}
    for wrong in ("OriHoch", "['a b']", "['a,b']", "['']", "[7, {}]"):
        with pytest.raises(DppctlError, match=r"^apps\.yaml:2"):
            parse_registration(text % f", mayDeploy: {wrong}", "apps.yaml")
    twice = "apps:\n- {appRepoPath: a/b, opsRepoPath: a/ops, environments: [x], mayDeploy: [ann]}\n"
    twice += "- {appRepoPath: a/b, opsRepoPath: a/ops, environments: [y]}\n"
    with pytest.raises(DppctlError, match="stands here twice, with another `verify`, other `signers` or another"):
        parse_registration(twice, "apps.yaml")
