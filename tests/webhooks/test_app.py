"""What the receiver takes and what it refuses."""

from pathlib import Path

import pytest
import requests

from tests.support.receiver import PUSH, Headers, MakeReceiver, Receiver
from tests.support.reports import event
from tests.support.small_disk import small_disk


@pytest.fixture(params=[True, False], ids=["shortcut", "flask"])
def receiver(make_receiver: MakeReceiver, request: pytest.FixtureRequest) -> Receiver:
    """Deliveries are answered alike in front of Flask and by its view."""
    return make_receiver("ann/app", shortcut=request.param, MAX_DELIVERY_BYTES="2000")


def test_a_signed_push_is_recorded_for_the_bot(receiver: Receiver) -> None:
    answer = receiver.deliver()
    assert (answer.status_code, answer.json()) == (202, {"delivery": "1", "outcome": "accepted"})
    (record,) = receiver.store.deliveries.take()
    assert (record.repository, record.ref, record.after) == ("ann/app", "refs/heads/master", "a" * 40)


def test_the_old_secret_holds_while_rotating(receiver: Receiver) -> None:
    assert receiver.deliver(secret="old").status_code == 202


def test_a_repeated_delivery_is_known(receiver: Receiver) -> None:
    receiver.deliver()
    answer = receiver.deliver()
    assert (answer.status_code, answer.json()["outcome"]) == (200, "seen before")
    receiver.store.deliveries.finish(["1"], "processed", None)
    assert receiver.deliver().status_code == 200
    assert not receiver.store.deliveries.take()


def test_a_delivery_that_had_failed_is_taken_again(receiver: Receiver) -> None:
    receiver.deliver()
    receiver.store.deliveries.finish(["1"], "failed", "git was away")
    assert receiver.deliver().status_code == 202
    assert [one.id for one in receiver.store.deliveries.take()] == ["1"]


def test_the_bot_is_told_the_registered_name_not_the_payloads(receiver: Receiver) -> None:
    receiver.deliver({**PUSH, "repository": {"full_name": "ANN/app"}})
    assert [one.repository for one in receiver.store.deliveries.take()] == ["ann/app"]


@pytest.mark.parametrize(
    ("payload", "headers", "code"),
    [
        (PUSH, {"X-Hub-Signature-256": "sha256=" + "0" * 64}, 401),
        (PUSH, {"X-Hub-Signature-256": None}, 401),
        (b"{", {}, 400),
        (PUSH, {"X-GitHub-Event": None}, 400),
        (PUSH, {"X-GitHub-Delivery": None}, 400),
        (PUSH, {"Content-Type": "text/plain"}, 415),
        (b" " * 2001, {}, 413),
    ],
)
def test_what_is_refused_is_refused_in_json_and_leaves_no_trace(
    receiver: Receiver, payload: object, headers: Headers, code: int
) -> None:
    answer = receiver.deliver(payload, headers=headers)
    assert (answer.status_code, list(answer.json())) == (code, ["error"])
    assert list(receiver.store.deliveries.newest()) == []


def test_another_repository_is_recorded_and_ignored(receiver: Receiver) -> None:
    answer = receiver.deliver({**PUSH, "repository": {"full_name": "bob/app"}})
    assert (answer.status_code, answer.json()["outcome"]) == (202, "ignored: the repository is not registered")
    (record,) = receiver.store.deliveries.newest()
    assert (record.state, record.reason) == ("ignored", "the repository is not registered")
    assert not receiver.store.deliveries.take()


def test_sync_reports_with_its_token_only(receiver: Receiver) -> None:
    answer = receiver.report()
    (deployment,) = receiver.store.deployments.newest()
    assert (answer.status_code, answer.json()) == (202, {"outcome": "accepted", "deployment": deployment.id})
    assert receiver.report(token="wrong").status_code == 401
    assert receiver.report(phase="excellent").status_code == 400
    assert [one.state for one in receiver.store.deployments.newest()] == ["running"]


@pytest.mark.parametrize("wrong", [{"app": "no/such/app"}, {"app": "../x"}, {"environment": "elsewhere"}])
def test_a_report_about_what_apps_yaml_does_not_register_is_refused(receiver: Receiver, wrong: dict[str, str]) -> None:
    answer = receiver.report(**wrong)
    assert (answer.status_code, answer.json()["error"].partition(" for ")[0]) == (
        400,
        f"apps.yaml does not register {wrong.get('app', 'ann/app')}",
    )
    assert requests.get(receiver.url, timeout=60).status_code == 200


def test_a_name_that_an_older_version_recorded_breaks_no_page(receiver: Receiver) -> None:
    receiver.store.deployments.report(event("started").model_copy(update={"app": "../x"}))
    assert requests.get(receiver.url, timeout=60).status_code == 200
    assert requests.get(f"{receiver.url}/deployments/1", timeout=60).status_code == 200


def test_what_orders_letters_anew_is_seen_on_pages_and_in_the_log(receiver: Receiver) -> None:
    receiver.report(phase="failed", message="all \u202ewell\u202c", log="\u2066line https://example.org/\u202e\n")
    for path in ("/", "/deployments/1", "/deployments/1/log.txt"):
        page = requests.get(receiver.url + path, timeout=60)
        page.encoding = "utf-8"
        assert "\u202e" not in page.text
        assert r"\u202e" in page.text


@pytest.mark.needs("root")
def test_it_is_not_ready_on_a_full_disk(receiver: Receiver, tmp_path: Path) -> None:
    assert requests.get(f"{receiver.url}/readyz", timeout=60).status_code == 200
    with small_disk(tmp_path / "disk", 16) as disk:
        receiver.store.database._engine.url = receiver.store.database._engine.url.set(database=str(disk / "x"))
        answer = requests.get(f"{receiver.url}/readyz", timeout=60)
        assert (answer.status_code, answer.json()["error"]) == (
            503,
            f"{disk}: No space left on device; nothing can be written down there",
        )


def test_an_ops_commits_link_leads_to_its_deployments_page(receiver: Receiver) -> None:
    receiver.report()
    link = f"{receiver.url}/apps/ann/app/staging/{'a' * 40}"
    answer = requests.get(link, allow_redirects=False, timeout=60)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/deployments/1")
    assert requests.get(link.replace("staging", "production"), timeout=60).status_code == 404


def test_health_and_unknown_pages_answer_in_json(receiver: Receiver) -> None:
    assert requests.get(f"{receiver.url}/healthz", timeout=60).json() == {"status": "ok"}
    assert requests.get(f"{receiver.url}/nothing", timeout=60).status_code == 404
    assert requests.get(f"{receiver.url}/webhooks/github", timeout=60).json()["error"]


def test_only_a_post_is_a_delivery(receiver: Receiver) -> None:
    answer = requests.get(f"{receiver.url}/webhooks/github", timeout=60)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.json() == {"error": "deliveries are POSTed"}


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("127.0.0.1:1", 200),
        ("localhost", 200),
        ("[::1]:8080", 200),
        ("dppctl.example.org", 200),
        ("pages.example.com", 200),
        ("deep.below.example.net", 200),
        ("[fe80::1]:8080", 403),
        ("[::1", 403),
        ("evil.example", 403),
        ("dppctl.example.org.evil.example", 403),
        ("127.0.0.1.evil.example:8080", 403),
    ],
)
def test_pages_answer_to_known_hosts_only(make_receiver: MakeReceiver, host: str, code: int) -> None:
    allowed = "pages.example.com,.example.net"
    receiver = make_receiver("ann/app", PUBLIC_URL="https://dppctl.example.org/x", ALLOWED_HOSTS=allowed)
    for path in ("/", "/events"):
        answer = requests.get(receiver.url + path, headers={"Host": host}, timeout=60)
        assert answer.status_code == code
        assert code == 200 or "DPPCTL_ALLOWED_HOSTS" in answer.json()["error"]
    assert requests.get(f"{receiver.url}/healthz", headers={"Host": host}, timeout=60).status_code == 200


def test_too_many_deliveries_of_a_repository_in_a_minute_are_refused(make_receiver: MakeReceiver) -> None:
    """A signed body that was seen can be sent again under any number of ids."""
    receiver = make_receiver("ann/app", DELIVERIES_A_MINUTE="5")
    answers = [receiver.deliver(headers={"X-GitHub-Delivery": f"d{number}"}) for number in range(8)]
    assert [answer.status_code for answer in answers[:5]] == [202] * 5
    refused = answers[-1]
    assert (refused.status_code, refused.json()["error"].partition(";")[0]) == (
        429,
        "too many deliveries of ann/app in this minute (DPPCTL_DELIVERIES_A_MINUTE)",
    )
    others = {**PUSH, "repository": {"full_name": "ann/other"}}
    assert receiver.deliver(others, headers={"X-GitHub-Delivery": "other"}).status_code == 202
    assert "dppctl_deliveries_limited_total 3.0" in receiver.page("/metrics")


def test_the_store_holds_no_secret_and_no_signature(receiver: Receiver, tmp_path: Path) -> None:
    assert receiver.deliver(secret="new").status_code == 202
    assert receiver.report().status_code == 202
    receiver.store.close()
    held = b"".join(file.read_bytes() for file in tmp_path.glob("bot.sqlite*"))
    assert b"ann/app" in held
    assert b"sha256=" not in held
    assert b"sync-token" not in held


def test_a_report_has_a_limit_of_its_own(receiver: Receiver) -> None:
    assert receiver.report(log="x" * 100_000).status_code == 202
    assert receiver.report(log="x" * 6_000_000).status_code == 413
