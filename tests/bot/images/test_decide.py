"""Which name an app's image has, and which images it may take with the bot's login."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.images.decide import ImagePolicy, is_below
from bot.model.image_reference import Reference
from bot.model.names import RepoPath

REGISTRY = "registry.example.org/apps"
LIKE = [
    "ann/my-app",
    "ann/my.app",
    "ann/my_app",
    "ann/My-App",
    "Ann/my-app",
    "ann/my--app",
    "ann/my-app/x",
    "ann/my-app-x",
]


def names(*registered: str, of: list[str]) -> list[str]:
    policy = ImagePolicy(REGISTRY, apps=dict.fromkeys(map(RepoPath.parse, registered), frozenset[str]()))
    return [policy.destination(RepoPath.parse(app), "1").repository for app in of]


@pytest.mark.parametrize(("registered", "plain"), [((), 0), (LIKE, 0), (LIKE[1:2], 1), (LIKE[2:], None)])
def test_no_two_apps_have_the_same_image(registered: list[str], plain: int | None) -> None:
    found = names(*registered, of=LIKE)
    assert len(set(found)) == len(LIKE)
    assert ("apps/ann/my-app" in found) == (plain is not None)
    assert plain is None or found[plain] == "apps/ann/my-app"


def test_a_name_stays_as_it_was_as_long_as_no_other_registered_app_comes_to_it() -> None:
    assert names("OriHoch/My.App", "ann/other", of=["OriHoch/My.App"]) == ["apps/orihoch/my-app"]
    (other,) = names("OriHoch/My.App", "orihoch/my-app", of=["OriHoch/My.App"])
    assert other.startswith("apps/orihoch/my-app__")
    assert names("a/b-c", "a-b/c", of=["a/b-c", "a-b/c"]) == ["apps/a/b-c", "apps/a-b/c"]


APPS = st.text("aB._-", min_size=1, max_size=3).map(lambda name: f"ann/x{name}x")


@given(st.sets(APPS, min_size=2, max_size=6), st.integers(0, 6))
def test_whatever_is_registered_no_two_apps_have_the_same_image(apps: set[str], count: int) -> None:
    registered = sorted(apps)[:count]
    found = names(*registered, of=sorted(apps))
    assert len(set(found)) == len(apps)


def test_an_app_may_log_in_for_its_own_images_and_those_that_it_is_registered_for() -> None:
    ann, bob = RepoPath.parse("ann/app"), RepoPath.parse("bob/app")
    policy = ImagePolicy(REGISTRY, apps={ann: frozenset({"ghcr.io/ann/base"}), bob: frozenset()})

    def may(image: str) -> list[str]:
        return [str(app) for app in (ann, bob) if is_below(Reference.parse(image), policy.logins(app))]

    assert may(f"{REGISTRY}/ann/app:1") == ["ann/app"]
    assert may(f"{REGISTRY}/ann/app-two:1") == may(f"{REGISTRY}/ann:1") == may(f"{REGISTRY}:1") == []
    assert may(f"{REGISTRY}/dppctl-runtime:1") == ["ann/app", "bob/app"]
    assert may("ghcr.io/ann/base/tools@sha256:" + "0" * 64) == may("ghcr.io/ann/base") == ["ann/app"]
    assert may("ghcr.io/ann/base-2") == may("ghcr.io/ann") == []
