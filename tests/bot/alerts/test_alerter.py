"""Alerts as people get them: from the store of a bot, by Apprise, to a server."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.alerts.alerter import Alerter
from bot.alerts.sender import Address
from bot.errors import DppctlError
from bot.model.alerts import AlertRules
from bot.settings import load_settings
from tests.support.forge import APP
from tests.support.serving import Reply, Request, serving
from tests.support.stories.bot import Story
from tests.support.world import World


class Inbox:
    """Takes what Apprise posts, unless it is out of order."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.works = True

    def answer(self, request: Request) -> Reply:
        if not self.works:
            return Reply(503)
        self.messages.append(json.loads(request.body))
        return Reply(200)

    def titles(self) -> list[str]:
        """Return those since it was asked last."""
        titles = [message["title"] for message in self.messages]
        self.messages.clear()
        return titles


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with World(tmp_path) as world:
        yield Story(world)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def alerter(story: Story, inbox: Inbox) -> Iterator[Alerter]:
    with serving(inbox.answer) as host:
        addresses = [Address(f"json://ann:hush@{host}/")]
        pages = "https://dppctl.example.org/deployments/{}".format
        alerter = Alerter(addresses, AlertRules(silent_days=3), story.targets, story.store, lambda: True, pages)
        alerter.work(datetime.now(UTC))
        yield alerter


def test_a_failure_and_its_end_are_told_once(story: Story, alerter: Alerter, inbox: Inbox) -> None:
    story.app.push(APP)
    story.reconcile()
    story.report("failed", "zones.py:33: not enough values\nmore")
    for _ in range(3):
        alerter.work(datetime.now(UTC))
    (message,) = inbox.messages
    assert (message["title"], message["type"]) == ("staging of ann/app failed", "failure")
    assert message["message"].splitlines() == [
        "zones.py:33: not enough values",
        "https://dppctl.example.org/deployments/1",
    ]
    inbox.messages.clear()
    story.app.push(APP | {"more": "1"})
    story.reconcile()
    story.succeed()
    for _ in range(3):
        alerter.work(datetime.now(UTC))
    assert inbox.titles() == ["staging of ann/app works again"]


def test_what_could_not_be_sent_is_sent_later(
    story: Story, alerter: Alerter, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.ask("hold", "production", "elections")
    inbox.works = False
    alerter.work(datetime.now(UTC))
    inbox.works = True
    monkeypatch.setattr(alerter._backoff, "waits", lambda _: False)
    monkeypatch.setattr(alerter._backoff, "due", lambda: True)
    alerter.work(datetime.now(UTC))
    assert inbox.titles() == ["production of ann/app is held"]
    alerter.work(datetime.now(UTC))
    story.ask("release", "production")
    alerter.work(datetime.now(UTC))
    story.ask("hold", "production", "again")
    alerter.work(datetime.now(UTC))
    assert inbox.titles() == ["production of ann/app is held"]


def test_nothing_that_succeeds_for_days_is_told(story: Story, alerter: Alerter, inbox: Inbox) -> None:
    alerter.work(datetime.now(UTC) + timedelta(days=3, minutes=1))
    assert sorted(inbox.titles()) == [f"{name} of ann/app: no success for 3 days" for name in ("production", "staging")]
    assert not story.deployments()


def test_an_address_that_nobody_understands_is_refused_without_its_password(story: Story) -> None:
    with pytest.raises(DppctlError, match=r"^DPPCTL_ALERTS: nothing://… is no address of Apprise's") as raised:
        Alerter([Address("nothing://ann:hush@host")], AlertRules(), story.targets, story.store, lambda: True)
    assert "hush" not in str(raised.value)


def test_no_log_has_the_password(
    story: Story, alerter: Alerter, inbox: Inbox, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    inbox.works = False
    story.ask("hold", "production", "elections")
    alerter.work(datetime.now(UTC))
    out, err = capsys.readouterr()
    assert "hush" not in caplog.text + out + err


def test_settings_name_addresses_and_what_to_tell(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "DPPCTL_ALERTS='mailtos://a:hush@example.org?to=b,c tgram://token/1'\n"
        "DPPCTL_ALERTS_ON=failed,recovered\nDPPCTL_ALERTS_SILENT_DAYS=2\n"
    )
    settings = load_settings(tmp_path, {}, receives=False)
    assert len(settings.alerts.addresses) == 2
    assert settings.alerts.rules == AlertRules(frozenset({"failed", "recovered"}), 20, 2)
    assert "mailtos://a:hush@example.org?to=b,c" in settings.all_secrets
    (tmp_path / ".env").write_text("DPPCTL_ALERTS_ON=failures\n")
    with pytest.raises(DppctlError, match="DPPCTL_ALERTS_ON"):
        load_settings(tmp_path, {}, receives=False)
