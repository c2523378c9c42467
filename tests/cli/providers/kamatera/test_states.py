"""How far a cluster at Kamatera is, decided of what is seen: no call is made here."""

import pytest

from cli.errors import InputError
from cli.providers.kamatera.choices import parse_choices
from cli.providers.kamatera.client import NetworkOfServer, QueuedCommand, ServerAtKamatera, ServiceTask
from cli.providers.kamatera.record import ClusterRecord
from cli.providers.kamatera.server import ServerObserved, decide, price_line
from cli.providers.kamatera.service import ServiceObserved, decide_service
from cli.providers.kamatera.ssh import ScriptState

WAN = NetworkOfServer(network="wan-eu", ips=["203.0.113.7"])
ON = ServerAtKamatera(id="1", name="dppctl", power="on", networks=[WAN], price_hourly_on="0.02", price_monthly_on="12")
OFF = ON.model_copy(update={"power": "off"})
ASKED = ClusterRecord("k3s", "EU", begun=1000, command="9001")
BEGUN = ClusterRecord("k3s", "EU", begun=1000)
READY = ClusterRecord("k3s", "EU", begun=1000, command="9001", was_ready=True)
DONE, GOES_ON = QueuedCommand(status="complete"), QueuedCommand(status="progress")
WAITING = "Waiting for Kamatera cluster initialization"


@pytest.mark.parametrize(
    ("observed", "after", "phase", "words"),
    [
        (ServerObserved(None, None, None, None), 0, "missing", "there is no server dppctl"),
        (ServerObserved(None, None, ON, None), 0, "failed", "its key is not on this machine; choose another"),
        (ServerObserved(BEGUN, None, None, None), 0, "missing", "not at Kamatera"),  # killed before it asked
        (ServerObserved(BEGUN, None, ON, ScriptState("installing k3s")), 0, "starting", "installing k3s"),
        (ServerObserved(ASKED, GOES_ON, None, None), 2300, "starting", WAITING),
        (
            ServerObserved(ASKED, GOES_ON, None, None),
            2500,
            "failed",
            "command 9001 has not ended after 40 minutes (prog",
        ),
        (ServerObserved(ASKED, DONE, None, None), 10, "starting", "to be listed"),
        (ServerObserved(ASKED, DONE, None, None), 4300, "failed", "does not list it; look at"),  # no second one
        (
            ServerObserved(ASKED, QueuedCommand(status="error", log="No\nresources left"), None, None),
            9,
            "failed",
            "could not make the server dppctl: No resources left; dppctl init kamatera --remove",
        ),
        (ServerObserved(ASKED, GOES_ON, OFF, None), 9, "starting", WAITING),
        (ServerObserved(READY, None, OFF, None), 9, "failed", "the server dppctl is off; turn it on"),
        (ServerObserved(READY, None, ON, None), 9, "ready", "is a cluster"),
        (ServerObserved(READY, None, None, None), 9, "missing", "not at Kamatera any more"),
        (ServerObserved(ASKED, DONE, ON, None), 9, "starting", "it has no address yet"),
        (ServerObserved(ASKED, DONE, ON, ScriptState("ready", "x")), 9, "ready", "is a cluster"),
        (ServerObserved(ASKED, DONE, ON, ScriptState("failed no disk")), 9, "failed", "a cluster: no disk"),
        (ServerObserved(ASKED, DONE, ON, ScriptState(unreached="refused")), 9, "starting", "by ssh: refused"),
        (ServerObserved(ASKED, DONE, ON, ScriptState(unreached="refused")), 4300, "failed", "70 minutes"),
    ],
)
def test_a_server(observed: ServerObserved, after: float, phase: str, words: str) -> None:
    state = decide("dppctl", observed, now=1000 + after)
    assert (state.phase, words in state.line) == (phase, True), state


PLANE = ON.model_copy(update={"name": "dppctl-controlplane-1-a"})


@pytest.mark.parametrize(
    ("observed", "after", "phase", "words"),
    [
        (ServiceObserved(None, None, []), 0, "missing", "there is no cluster"),
        (ServiceObserved(None, None, [PLANE]), 0, "failed", "its key is not on this machine"),
        (ServiceObserved(BEGUN, None, [PLANE]), 0, "missing", "not been asked for yet"),  # asking again is harmless
        (ServiceObserved(ASKED, ServiceTask(state="PENDING"), [PLANE]), 9, "starting", "1 of 2 servers"),
        (ServiceObserved(ASKED, ServiceTask(state="PENDING"), [PLANE]), 6000, "failed", "after 90 minutes"),
        (ServiceObserved(ASKED, ServiceTask(state="FAILURE", error="quota"), []), 9, "failed", "dppctl: quota; dppctl"),
        (ServiceObserved(ASKED, ServiceTask(state="SUCCESS"), [PLANE]), 9, "ready", "is there"),
        (ServiceObserved(READY, None, [PLANE]), 9, "ready", "is there"),
        (ServiceObserved(READY, None, []), 9, "missing", "not at Kamatera any more"),
    ],
)
def test_a_cluster_of_the_service(observed: ServiceObserved, after: float, phase: str, words: str) -> None:
    state = decide_service("dppctl", observed, now=1000 + after)
    assert (state.phase, words in state.line) == (phase, True), state


def test_prices_are_those_that_kamatera_tells() -> None:
    assert price_line([ON, ON]) == "Kamatera's price: 0.04 an hour, 24 a month"
    assert price_line([ON.model_copy(update={"price_hourly_on": ""})]) == price_line([]) == ""


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kamateraName": "a" * 80}, r"kamateraName \(--kamatera-name\) 'a+': expected 4 to 40 small letters"),
        ({"kamateraName": "x/y;z"}, "expected 4 to 40"),
        ({"kamateraDatacenter": "Mars!"}, "expected a datacenter's id, such as EU"),
        ({"kamateraCpu": "two"}, "expected a number of CPUs and their type, such as 2B"),
        ({"kamateraRam": "4 GB"}, "expected megabytes, such as 4096"),
        ({"kamateraDisk": "-1"}, "expected gigabytes, such as 40"),
        ({"kamateraMode": "rke"}, r"expected k3s \(a server of its own\) or k8s"),
        ({"kamateraMode": "k8s", "kamateraName": "a-name-of-16-let"}, "at most 15 characters with kamateraMode k8s"),
    ],
)
def test_a_choice_that_cannot_be_is_said_with_its_flag(settings: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_choices(settings)


def test_choices_are_written_as_kamatera_has_them() -> None:
    choices = parse_choices({"kamateraDatacenter": "eu", "kamateraCpu": "4b"})
    assert (choices.datacenter, choices.cpu) == ("EU", "4B")
    assert parse_choices(choices.settings()) == choices
