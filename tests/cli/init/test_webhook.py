"""The webhook that `dppctl init` made, and what has become of it since; with the real receiver."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bot.model.registration import read_registration
from bot.settings import load_settings
from cli.errors import InputError
from tests.support.github.fake import FakeGitHub
from tests.support.github.faults import PRIMARY, SECONDARY, SSO, SSO_URL, Fault
from tests.support.stories.person import Person


@pytest.fixture
def ann(github: FakeGitHub, tmp_path: Path) -> Person:
    """With everything set up, for an address where nobody answers."""
    ann = Person(github, tmp_path)
    assert ann.init("--yes", "--url", ann.address, token="its").exit_code == 0
    return ann


def lose_the_secret(ann: Person) -> None:
    env = ann.config / ".env"
    env.write_text(re.sub(r"(?m)^DPPCTL_WEBHOOK_SECRETS=.*\n", "", env.read_text()))


def kept(ann: Person) -> list[str]:
    return [secret.get_secret_value() for secret in load_settings(ann.config, {}).receiver.webhook_secrets]


def restarted_at(ann: Person) -> None:
    """The receiver listens where the webhook goes."""
    port = ann.address.rpartition(":")[2]
    env = ann.config / ".env"
    env.write_text(re.sub(r"(?m)^DPPCTL_PORT=.*$", f"DPPCTL_PORT={port}", env.read_text()))


def test_a_secret_that_was_lost_is_made_anew_and_given_to_github(ann: Person, github: FakeGitHub) -> None:
    repo = github.repo("ann/data")
    (old,) = repo.secrets.values()
    lose_the_secret(ann)
    done = ann.init("--yes")
    assert done.exit_code == 0, done.output
    assert "make a new secret for the webhook" in done.output
    assert list(repo.secrets.values()) == kept(ann) != [old]
    with ann.receiver():
        assert ann.init("--yes", "--url", ann.address).exit_code == 0
        restarted_at(ann)
    with ann.receiver():
        lost = ann.init("--yes")
        assert "done" not in lost.output, lost.output
        lose_the_secret(ann)  # while the receiver still has it
        assert "restart `dppctl up`" in ann.init("--yes").output
    with ann.receiver():
        assert "GitHub's ping reached it: 202" in ann.init("--yes").output
        assert list(repo.secrets.values()) == kept(ann)


def test_a_secret_that_github_did_not_take_is_not_kept(ann: Person, github: FakeGitHub) -> None:
    lose_the_secret(ann)
    github.fail(Fault(502, "Server Error"), "PATCH .*/hooks/")
    assert ann.init("--yes").exit_code != 0
    assert "DPPCTL_WEBHOOK_SECRETS" not in (ann.config / ".env").read_text()
    github.heal()
    assert ann.init("--yes").exit_code == 0
    assert list(github.repo("ann/data").secrets.values()) == kept(ann)


def test_a_webhook_with_another_secret_gets_the_one_that_the_receiver_has(ann: Person, github: FakeGitHub) -> None:
    repo = github.repo("ann/data")
    with ann.receiver():
        assert ann.init("--yes", "--url", ann.address).exit_code == 0
        restarted_at(ann)
        (number,) = repo.secrets
        repo.secrets[number] = "somebody else's"
        repo.deliveries[number].clear()
        done = ann.init("--yes")
        assert "GitHub had another secret and got ours; GitHub's ping reached it: 202" in done.output, done.output
        assert repo.secrets[number] == kept(ann)[0]
        assert "done" not in ann.init("--yes").output


def test_what_is_no_missing_right_is_told_as_it_is(ann: Person, github: FakeGitHub) -> None:
    lose_the_secret(ann)
    limit = "takes no more calls"
    for fault, words in ((PRIMARY, limit), (SECONDARY, limit), (SSO, f"single sign-on: open {SSO_URL}")):
        for calls in ("GET .*/hooks$", "PATCH .*/hooks/", "GET .*/ann/data-ops$"):
            github.fail(replace(fault), calls)
            done = ann.init("--yes")
            assert isinstance(done.exception, InputError), calls
            assert words in str(done.exception), calls
            assert "may not" not in str(done.exception), calls
            github.heal()


@pytest.mark.parametrize("fault", [PRIMARY, SSO])
def test_a_trial_of_permissions_that_github_limits_does_not_say_that_they_lack(
    ann: Person, github: FakeGitHub, fault: Fault
) -> None:
    may = {"contents": "write", "deployments": "write", "statuses": "write", "metadata": "read"}
    github.user("robot", "fine", scopes=None, permissions=may)
    github.fail(fault, "POST .*/(deployments|statuses|git)")
    done = ann.init("--yes", token="fine")
    assert isinstance(done.exception, InputError)
    assert "lacks permissions" not in str(done.exception)
    assert "calls" in str(done.exception) or SSO_URL in str(done.exception)


def test_a_renamed_app_or_ops_repo_is_told_with_what_to_correct(ann: Person, github: FakeGitHub) -> None:
    github.rename("ann/data-ops", "ann/data-deploys")
    done = ann.init("--yes")
    assert "ann/data-ops is called ann/data-deploys on GitHub now" in str(done.exception)
    github.rename("ann/data", "ann/figures")
    done = ann.init("--yes")
    assert "ann/data is called ann/figures on GitHub now" in str(done.exception)
    assert "git remote set-url origin URL" in str(done.exception)


@pytest.mark.parametrize("name", ["ann/data", "ann/data-ops"])
def test_an_archived_repository_is_told(ann: Person, github: FakeGitHub, name: str) -> None:
    github.repo(name).archived = True
    assert f"{name} is archived on GitHub" in str(ann.init("--yes").exception)


def test_a_new_address_takes_the_old_webhook_away(ann: Person, github: FakeGitHub) -> None:
    hooks = github.repo("ann/data").hooks
    github.fail(Fault(502, "Server Error"), "DELETE .*/hooks/", times=1)
    assert ann.init("--yes", "--url", "https://new.example.org").exit_code != 0
    done = ann.init("--yes", "--url", "https://new.example.org")  # the old address is still known
    assert done.exit_code == 0, done.output
    assert [hook["config"]["url"] for hook in hooks.values()] == ["https://new.example.org/webhooks/github"]
    assert load_settings(ann.config, {}).receiver.public_url == "https://new.example.org"
    assert ann.init("--remove", "--url", "https://dppctl.example.org").exit_code == 0
    assert hooks == {}


def test_a_new_address_takes_the_webhooks_of_the_folders_other_apps_along(ann: Person, github: FakeGitHub) -> None:
    """Where the token may; else it is said what to do."""
    mine, old = github.repo("ann/data"), f"{ann.address}/webhooks/github"
    other = github.repository("ann/other", robot="write").git
    assert other
    repo, (number, hook) = github.repo("ann/other"), next(iter(mine.hooks.items()))
    copy = json.loads(json.dumps(hook).replace("ann/data", "ann/other"))
    repo.hooks[number], repo.deliveries[number], repo.secrets[number] = copy, [], "an older one"
    assert hook["config"]["url"] == old
    registration = ann.config / "apps.yaml"
    apps = registration.read_text()
    more = [
        {"appRepoPath": name, "opsRepoPath": f"ann/data-ops/{name}", "environments": ["staging"]}
        for name in ("ann/other", "bob/secret")
    ]
    registration.write_text(apps + "".join(f"- {json.dumps(each)}\n" for each in more))
    done = ann.init("--yes", "--url", "https://new.example.org")
    assert done.exit_code == 0, done.output
    for each in (mine, repo):
        assert [found["config"]["url"] for found in each.hooks.values()] == ["https://new.example.org/webhooks/github"]
    assert list(repo.secrets.values()) == kept(ann)
    assert (
        f"the webhook {old} on bob/secret stays, if there is one, as the token does not reach bob/secret" in done.output
    )


def test_a_webhook_that_was_left_behind_is_named(ann: Person, github: FakeGitHub) -> None:
    repo = github.repo("ann/data")
    with ann.receiver():
        assert ann.init("--yes", "--url", ann.address).exit_code == 0
        (hook,) = repo.hooks.values()
        other = github.number()
        repo.hooks[other] = hook | {
            "id": other,
            "config": hook["config"] | {"url": "https://old.example.org/webhooks/github"},
        }
        repo.deliveries[other], repo.secrets[other] = [], ""
        assert "https://old.example.org/webhooks/github is another one there" in ann.init("--yes").output


def test_remove_takes_an_archived_and_a_deleted_app_out_of_the_registration(ann: Person, github: FakeGitHub) -> None:
    registration = (ann.config / "apps.yaml").read_text()
    github.repo("ann/data").archived = True
    done = ann.init("--remove")
    assert (done.exit_code, read_registration(ann.config / "apps.yaml")) == (0, frozenset()), done.output
    assert "stays: the repository is archived" in done.output
    (ann.config / "apps.yaml").write_text(registration)
    del github.repos["ann/data"]
    done = ann.init("--remove")
    assert (done.exit_code, read_registration(ann.config / "apps.yaml")) == (0, frozenset()), done.output
    assert "there is no such repository any more, or the token does not reach it" in done.output
