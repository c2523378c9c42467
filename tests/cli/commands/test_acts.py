"""`dppctl rollback` and the others, beside a bot that runs."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.errors import DppctlError
from cli.main import dppctl
from tests.support.forge import APP
from tests.support.stories.bot import Story, running
from tests.support.world import World

pytestmark = pytest.mark.slow


class SyncedStory(Story):
    """Has a sync that succeeds at once with whatever is written, and keeps all."""

    def _changed(self) -> None:
        self.succeed(kept=range(1, self.last().id))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with World(tmp_path_factory.mktemp("acts")) as world:
        world.write_config()
        story = SyncedStory(world)
        for number in range(2):
            story.app.push(APP | {"file": str(number)})
            story.reconcile()
        with running(story.loop):
            yield story


def dpp(story: Story, *words: str) -> tuple[int, str]:
    """Type a command; return its exit code and what it says."""
    ran = CliRunner().invoke(dppctl, [*words, "--config", str(story.world.config)])
    if isinstance(ran.exception, DppctlError):
        return 2, str(ran.exception)
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran.exit_code, ran.output


def test_each_act_is_done_and_says_what_became_of_it(story: Story) -> None:
    code, said = dpp(story, "rollback", "ann/app", "staging", "--yes", "-m", "wrong rows")
    assert (code, "succeeded" in said, "it stays until master is something new" in said) == (0, True, True), said
    listed = json.loads(dpp(story, "list", "deployments", "--limit", "1")[1])[0]
    assert (listed["id"], listed["act"], listed["reason"], listed["kept"]) == (3, "rollback", "wrong rows", True)
    assert listed["by"].startswith("local:")
    assert dpp(story, "release", "ann/app", "staging", "--yes")[0] == 0
    assert dpp(story, "promote", "ann/app", "staging", "production", "--yes")[0] == 0
    until = f"{datetime.now(UTC).astimezone() + timedelta(days=2):%Y-%m-%dT%H:%M}"
    code, said = dpp(story, "hold", "ann/app", "staging", "--reason", "elections", "--until", until, "--yes")
    assert (code, "staging of ann/app is held until" in said) == (0, True), said
    held = {hold["environment"]: hold for hold in json.loads(dpp(story, "list", "holds")[1])}
    assert (held["staging"]["reason"], held["staging"]["by"]) == ("elections", listed["by"])
    code, said = dpp(story, "hold", "ann/app", "staging", "--reason", "more", "--yes")
    assert (code, "is held already" in said) == (2, True), said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rollback", "ann/app", "live"), "ann/app is not registered for live; known: "),
        (("rollback", "bob/app", "staging"), "bob/app is not registered; known: ann/app"),
        (("hold", "bob/app", "staging", "-m", "x"), "bob/app is not registered; known: ann/app"),
        (("release", "ann/app", "production"), "production of ann/app is not held"),
        (("cancel", "99"), "there is no deployment 99"),
        (("cancel", "1"), "deployment 1 has ended already: "),
        (("retry", "2"), "deployment 2 is succeeded, not failed"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(story: Story, words: tuple[str, ...], said: str) -> None:
    code, line = dpp(story, *words, "--yes")
    assert (code, said in line, "\n" in line.strip()) == (2, True, False), line


def test_a_person_is_asked_and_may_say_no(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(story.store.requests.newest(limit=100))
    words = ("rollback", "ann/app", "staging", "--to", "1")
    if (running_now := story.store.acts.of_app("ann/app")["staging"].running) and running_now.id == 1:
        words = ("rollback", "ann/app", "staging", "--to", "2")
    code, line = dpp(story, *words)
    assert (code, "nobody can be asked whether that is meant; say --yes" in line) == (2, True), line
    monkeypatch.setattr("cli.asking.sys", type("Terminal", (), {"stdin": type("", (), {"isatty": lambda: True})}))
    answer: Callable[..., bool] = lambda _question: False  # noqa: E731
    monkeypatch.setattr("click.confirm", answer)
    code, line = dpp(story, *words)
    assert (code, " -> " in line, "nothing was done" in line) == (1, True, True), line
    assert len(story.store.requests.newest(limit=100)) == before


def test_a_folder_without_servers_is_told(tmp_path: Path) -> None:
    ran = CliRunner().invoke(dppctl, ["release", "ann/app", "staging", "--config", str(tmp_path)])
    assert isinstance(ran.exception, DppctlError)
