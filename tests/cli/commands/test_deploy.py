"""`dppctl deploy`, beside a bot that runs."""

from collections.abc import Iterator
from typing import NoReturn

import pytest
from click.testing import CliRunner

from cli.main import dppctl
from tests.support.forge import APP
from tests.support.stories.bot import Story, running
from tests.support.world import World


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator["SyncedStory"]:
    with World(tmp_path_factory.mktemp("deploy")) as world:
        world.write_config()
        story = SyncedStory(world)
        story.app.push(APP)
        with running(story.loop):
            yield story


class SyncedStory(Story):
    """Has a sync that takes whatever is written, unless data is not accepted and `expects` is said."""

    expects = ""

    def _changed(self) -> None:
        if self.expects and not self.values("staging").accept:
            self.report("failed", self.expects)
        else:
            self.succeed()


def deploy(story: Story, *words: str) -> tuple[int, str]:
    return run(story, "deploy", "ann/app", "staging", *words)


def run(story: Story, *words: str) -> tuple[int, str]:
    ran = CliRunner().invoke(dppctl, [*words, "--config", str(story.world.config)])
    return ran.exit_code, ran.output


@pytest.mark.slow
def test_a_change_is_accepted_with_its_reason(story: Story) -> None:
    code, said = deploy(story, "--accept-change", "zones are gone", "--ref", "master")
    assert (code, "succeeded" in said) == (0, True), said
    (request,) = story.store.requests.newest()
    assert (request.accept, request.ref, request.reason) == (True, "master", "zones are gone")
    assert said.splitlines()[-1] == f"http://127.0.0.1:0/deployments/{story.last().id}"
    assert story.values("staging").accept
    assert story.trailers()["Accept-Change"] == "yes"
    code, said = deploy(story, "--quiet")
    assert (code, said) == (0, f"{story.last().id}\n")
    assert not story.values("staging").accept


@pytest.mark.slow
def test_what_failed_is_tried_again_and_its_change_accepted(
    story: SyncedStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "expects", "zones: gone")
    code, said = deploy(story, "--no-wait")
    failed = str(story.last().id)
    assert (code, said.splitlines()[-1]) == (0, f"http://127.0.0.1:0/deployments/{failed}")
    with monkeypatch.context() as patched:
        patched.setattr("cli.asking.watch", _press_ctrl_c)
        code, said = run(story, "deploy", "ann/app", "staging")
    left = str(story.last().id)
    goes_on = f"deployment {left} goes on: `dppctl logs {left} --follow` follows it, `dppctl cancel {left}` stops it"
    assert (code, said) == (130, f"dppctl: {goes_on}\n")
    code, said = deploy(story, "-q")
    failed = str(story.last().id)
    assert (code, said.splitlines()) == (1, [f"failed: zones: gone; `dppctl logs {failed}` shows the log", failed])
    code, said = run(story, "retry", failed, "--yes", "--accept-change", "zones are in committees")
    assert (code, "succeeded" in said) == (0, True), said
    (request,) = story.store.requests.newest(limit=1)
    assert (request.act, request.accept, request.reason) == ("retry", True, "zones are in committees")


def _press_ctrl_c(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("words", [("--accept-change", " "), ("--accept-change", "one", "--message", "another")])
def test_it_says_why_once(story: Story, words: tuple[str, ...]) -> None:
    before = story.store.requests.newest(limit=100)
    code, said = deploy(story, *words)
    assert (code, '--accept-change "WHY" says why, once' in said) == (2, True), said
    assert [found.id for found in story.store.requests.newest(limit=100)] == [found.id for found in before]
