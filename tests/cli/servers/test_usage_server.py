"""`dppctl usage-server`, a process of its own, and what its settings are refused for."""

import re
import signal
from pathlib import Path

import pytest
import requests

from bot.errors import DppctlError
from bot.settings import load_settings
from bot.usage_client import UsageAwayError, UsageSender
from bot.usage_events import UsageEvent
from cli.servers.usage_server import standalone
from tests.support.command import Dppctl

FILES = {"DPPCTL_USAGE_TOKEN_FILE": "usage-token", "DPPCTL_PROXY_SERVICE_TOKEN_FILE": "proxy-service-token"}


@pytest.mark.slow
def test_it_gives_places_and_says_what_is_missing(dppctl: Dppctl, tmp_path: Path) -> None:
    (tmp_path / "usage-token").write_text("of servers\n")
    (tmp_path / "proxy-service-token").write_text("of usage\n")
    (tmp_path / "wrong").write_text("another")
    (tmp_path / "limits.yaml").write_text("default: {runs: 1}")
    process = dppctl.start(
        "usage-server", "--config", str(tmp_path), PYTHONUNBUFFERED="1", DPPCTL_USAGE_LISTEN="127.0.0.1:0",
        DPPCTL_USAGE_LIMITS_FILE="limits.yaml", DPPCTL_PROXY_URL="http://127.0.0.1:9", cwd=tmp_path, **FILES,
    )  # fmt: skip
    assert process.stdout
    found = re.search(r"http://[\d.:]+", process.stdout.readline())
    assert found
    headers = {"Authorization": "Bearer of servers"}
    body = {"user": "token:ann", "timeoutSeconds": 60}
    answers = [
        requests.post(f"{found[0]}/usage/reservations", json={"run": name, **body}, headers=headers, timeout=10)
        for name in ("run-1", "run-2")
    ]
    assert [answer.status_code for answer in answers] == [201, 429]
    UsageSender(found[0], tmp_path / "usage-token").send([UsageEvent(user="token:ann", action="promote")])
    with pytest.raises(UsageAwayError, match="does not take events: 401"):
        UsageSender(found[0], tmp_path / "wrong").send([UsageEvent(user="token:ann", action="promote")])
    log = requests.get(f"{found[0]}/usage/report?what=events", headers=headers, timeout=10).json()
    assert [event["action"] for event in log["events"]] == ["promote"]
    metrics = requests.get(f"{found[0]}/metrics", timeout=10).text
    assert 'dppctl_limit_refusals_total{limit="runs"} 1.0' in metrics
    assert "dppctl_reservations 1.0" in metrics
    assert requests.get(f"{found[0]}/readyz", timeout=10).json() == {"status": "ok"}
    page = requests.get(found[0].replace("127.0.0.1", "localhost") + "/usage/", timeout=10)
    assert "Usage of everybody" in page.text
    assert requests.get(f"{found[0]}/usage/static/usage.css", timeout=10).status_code == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "DPPCTL_USAGE_TOKEN_FILE: is not set; name a file with it"),
        ({"DPPCTL_USAGE_TOKEN_FILE": "usage-token"}, "DPPCTL_PROXY_SERVICE_TOKEN_FILE: is not set"),
        ({**FILES, "DPPCTL_USAGE_LIMITS_FILE": "limits.yaml"}, "{folder}/limits.yaml:1: default.runs: input should be"),
        ({**FILES, "DPPCTL_USAGE_LISTEN": "here"}, "DPPCTL_USAGE_LISTEN: "),
    ],
)
def test_a_wrong_setting_of_usage_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "limits.yaml").write_text("default: {runs: many}")
    for name in FILES.values():
        (tmp_path / name).write_text("x")
    with pytest.raises(DppctlError) as refused:
        standalone(load_settings(tmp_path, given, receives=False))
    assert str(refused.value).startswith(said.format(folder=tmp_path))
    assert "\n" not in str(refused.value)
