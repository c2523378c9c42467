"""Who may deploy an app: who may write to its repository, or whom apps.yaml names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.accounts import AccountsAwayError
from cluster.auth.admission import Lists
from cluster.auth.limits import PERMISSION_SECONDS
from cluster.auth.options import GitHubAddresses
from cluster.auth.people import ProvenIdentity
from cluster.auth.tokens import TokenRequest
from tests.support.auth import AuthWorld
from tests.support.github.fake import FakeGitHub
from tests.support.github.faults import Fault

pytestmark = pytest.mark.needs("npm")
APP = "OriHoch/app/sub/folder"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(tmp_path: Path, github: FakeGitHub, clock: Clock) -> Iterator[AuthWorld]:
    """A repository of OriHoch's, to which ben may write."""
    github.repository("OriHoch/app", ben="write")
    lists = Lists(users=("OriHoch", "ben", "carl", "google:1"), admins=("root",))
    world = AuthWorld(tmp_path, mode="oauth", github=GitHubAddresses(github.url, github.api_url), lists=lists)
    world.service._rights._clock = clock
    yield world
    world.service.close()


def log_in(world: AuthWorld, github: FakeGitHub, login: str, **changes: str) -> str:
    """A session of somebody of GitHub."""
    github.user(login, f"gho_{login}", scopes=())
    given = {"user": f"github:{github.users[login]}", "github_token": f"gho_{login}", **changes}
    return world.service.log_in(ProvenIdentity(login=login, **given))


def allowed(world: AuthWorld, token: str, app: str = APP) -> tuple[bool, str]:
    permission = world.service.may_deploy(token, app)
    return permission.allowed, permission.reason


def test_who_may_write_to_the_repository_may_deploy(world: AuthWorld, github: FakeGitHub) -> None:
    assert allowed(world, log_in(world, github, "OriHoch")) == (True, "OriHoch may write to OriHoch/app")
    assert allowed(world, log_in(world, github, "ben")) == (True, "ben may write to OriHoch/app")
    assert allowed(world, log_in(world, github, "carl")) == (False, "carl may not write to OriHoch/app")


def test_the_answer_holds_five_minutes_and_so_does_a_refusal(
    world: AuthWorld, github: FakeGitHub, clock: Clock
) -> None:
    ben, carl = log_in(world, github, "ben"), log_in(world, github, "carl")
    roles = github.repo("OriHoch/app").roles
    assert (allowed(world, ben)[0], allowed(world, carl)[0]) == (True, False)
    roles.update(ben="read", carl="write")
    clock.now += PERMISSION_SECONDS - 1
    assert (allowed(world, ben)[0], allowed(world, carl)[0]) == (True, False)
    assert github.count("GET /repos/OriHoch/app") == 2
    clock.now += 1
    assert (allowed(world, ben)[0], allowed(world, carl)[0]) == (False, True)


def test_a_private_repository_that_the_login_does_not_show_is_none(world: AuthWorld, github: FakeGitHub) -> None:
    github.repo("OriHoch/app").private = True
    answer = allowed(world, log_in(world, github, "ben"))
    assert answer == (False, "GitHub shows ben no OriHoch/app (404); mayDeploy in apps.yaml can name who may")


def test_the_list_of_apps_yaml_decides_in_place_of_github(world: AuthWorld, github: FakeGitHub) -> None:
    world.with_options(deployers={APP: ("carl", "org:hasadna", "google:1")})
    carl, ben = log_in(world, github, "carl"), log_in(world, github, "ben")
    assert allowed(world, carl) == (True, f"mayDeploy of {APP} in apps.yaml names carl")
    assert allowed(world, ben)[1].startswith(f"mayDeploy of {APP} in apps.yaml does not name ben (github:")
    google = world.service.log_in(ProvenIdentity("google:1", "dora@example.org"))
    assert allowed(world, google)[0]
    member = world.service.log_in(
        ProvenIdentity(f"github:{github.users['ben']}", "ben", frozenset({"org:hasadna"}))
    )  # fmt: skip
    assert allowed(world, member)[0]
    assert allowed(world, google, "OriHoch/other")[1].startswith("google:1 is not of GitHub; mayDeploy")
    assert not github.count("/repos/")


def test_an_empty_list_lets_admins_alone(world: AuthWorld, github: FakeGitHub) -> None:
    world.with_options(deployers={APP: ()})
    assert not allowed(world, log_in(world, github, "OriHoch"))[0]
    assert allowed(world, log_in(world, github, "root")) == (True, "root is an admin")


def test_a_token_needs_the_scope_besides(world: AuthWorld, github: FakeGitHub) -> None:
    for login in ("OriHoch", "root"):
        found = world.service.find(log_in(world, github, login))
        assert found
        reads = world.service.make_token(found, TokenRequest("reads", ("read", "run")))[0]
        deploys = world.service.make_token(found, TokenRequest("deploys", ("deploy",)))[0]
        assert allowed(world, reads) == (False, f"the token 'reads' of {login} has no scope deploy")
        assert allowed(world, deploys)[0]
    assert allowed(world, "dppctl_unknown") == (False, "nobody is logged in, or not any more")


@pytest.mark.parametrize(
    "fault", [Fault(500, "Server Error"), Fault(429, "Too Many Requests"), Fault(403, "limit", {"Retry-After": "60"})]
)
def test_while_github_is_away_nobody_hears_yes(world: AuthWorld, github: FakeGitHub, fault: Fault) -> None:
    session = log_in(world, github, "OriHoch")
    github.fail(fault)
    with pytest.raises(AccountsAwayError, match="GitHub does not say now who may write to OriHoch/app"):
        world.service.may_deploy(session, APP)
    answer = world.ask("/permissions", data={"token": session, "app": APP})
    assert answer.status_code == 503
    assert answer.json
    assert "GitHub" in answer.json["error"]
    github.heal()
    answer = world.ask("/permissions", data={"token": session, "app": APP})
    assert answer.json == {"deploy": True, "reason": "OriHoch may write to OriHoch/app"}


def test_a_github_that_cannot_be_reached_is_away_too(world: AuthWorld, github: FakeGitHub) -> None:
    session = log_in(world, github, "OriHoch")
    world.with_options(github=GitHubAddresses("http://127.0.0.1:1", "http://127.0.0.1:1"))
    assert world.ask("/permissions", data={"token": session, "app": APP}).status_code == 503


def test_a_token_of_github_that_was_revoked_means_to_log_in_again(world: AuthWorld, github: FakeGitHub) -> None:
    session = log_in(world, github, "ben")
    del github.tokens["gho_ben"]
    assert allowed(world, session) == (False, "GitHub does not know ben's login any more; log in again")
    github.user("ben", "gho_new", scopes=())
    world.service.log_in(ProvenIdentity(f"github:{github.users['ben']}", "ben", github_token="gho_new"))
    assert allowed(world, session)[0]


def test_with_another_key_people_log_in_again(world: AuthWorld, github: FakeGitHub) -> None:
    session = log_in(world, github, "OriHoch")
    world.with_options(key=b"another")
    assert allowed(world, session)[1] == "the key that people's logins are kept with has changed; log in again"


def test_a_repository_that_was_renamed_is_told(world: AuthWorld, github: FakeGitHub) -> None:
    session = log_in(world, github, "OriHoch")
    github.rename("OriHoch/app", "OriHoch/data")
    assert allowed(world, session) == (False, "OriHoch/app has another name by now; correct apps.yaml")


@pytest.mark.parametrize("app", ["", "app", "../../user", "a/b?x=y", "OriHoch/app\n"])
def test_what_is_no_app_is_nobodys_and_github_is_not_asked(world: AuthWorld, github: FakeGitHub, app: str) -> None:
    session = log_in(world, github, "OriHoch")
    assert not world.service.may_deploy(session, app).allowed
    assert not github.count("")
