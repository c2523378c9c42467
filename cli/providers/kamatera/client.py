"""Calls of Kamatera's API, and its errors in one line each; `cli.providers.kamatera` says where the facts are from."""

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from bot.errors import TransientError
from cli.errors import InputError
from cli.providers.kamatera.limits import ANSWER_SECONDS, CONNECT_SECONDS, FIRST_PAUSE_SECONDS, MAX_ANSWER_BYTES, TRIES

API_KEYS = "https://console.kamatera.com/keys"  # where a person makes one
URL_VARIABLE = "KAMATERA_API_URL"  # of their Terraform provider
_URL = "https://cloudcli.cloudwm.com"
_NONE_FOUND = "No servers found"
T = TypeVar("T")


class KamateraAwayError(TransientError):
    """Kamatera does not answer, or has too much to do: the same again later."""


class KamateraRefusedError(InputError):
    """Kamatera refuses, with its own reason."""


class WrongApiKeyError(KamateraRefusedError):
    """Kamatera does not know the Account ID, or its Secret is another."""


@dataclass(frozen=True)
class ApiKey:
    """What Kamatera calls an API key: a client's id and its secret."""

    account_id: str
    secret: str

    def __repr__(self) -> str:
        """Leave the secret out, so that no log has it."""
        return f"ApiKey({self.account_id!r})"


class KamateraAnswer(BaseModel):
    """Something that Kamatera tells, in camel case, of which more may be told than is read."""

    model_config = ConfigDict(
        extra="ignore", coerce_numbers_to_str=True, alias_generator=to_camel, populate_by_name=True
    )


class NetworkOfServer(KamateraAnswer):
    """A network that a server is in."""

    network: str
    ips: list[str] = []


class ServerAtKamatera(KamateraAnswer):
    """What `info` tells of a server."""

    id: str
    name: str
    power: str = ""
    networks: list[NetworkOfServer] = []
    price_hourly_on: str = ""
    price_monthly_on: str = ""

    @property
    def address(self) -> str:
        """Return its public address; "": it has none."""
        return next((ip for each in self.networks if each.network.startswith("wan-") for ip in each.ips if ip), "")


class QueuedCommand(KamateraAnswer):
    """What the queue tells of a command: `complete`, `error`, or that it goes on."""

    status: str = ""
    log: str | None = ""


class QueueEntry(KamateraAnswer):
    """A command as the list of the queue has it."""

    id: str
    command_info: str | None = ""
    service_name: str | None = ""


class Datacenter(KamateraAnswer):
    """A datacenter: its id, country and town."""

    id: str
    name: str = ""
    sub_category: str = ""


class NetworkAtKamatera(KamateraAnswer):
    """A private network: its ids and full names, which begin with lan-NUMBER-."""

    ids: list[str]
    names: list[str]
    vlan_id: str


class SubnetAtKamatera(KamateraAnswer):
    """A part of a private network."""

    subnet_id: int


class ServiceTask(KamateraAnswer):
    """What their Kubernetes service tells of a task: PENDING, SUCCESS or FAILURE."""

    state: str
    result: Any = None
    error: str | None = None


class KamateraClient:
    """Calls Kamatera with one API key. All calls raise KamateraAwayError, KamateraRefusedError and WrongApiKeyError."""

    def __init__(self, key: ApiKey) -> None:
        """Connect at the first call. Raises InputError for an address to which no secret may go."""
        self._url = _checked_url(os.environ.get(URL_VARIABLE) or _URL)
        self._key = key

    def datacenters(self) -> list[Datacenter]:
        """Return all datacenters."""
        return self._read(list[Datacenter], "GET", "service/server?datacenter=1")

    def servers(self, pattern: str) -> list[ServerAtKamatera]:
        """Return the servers whose whole name fits a regular expression."""
        body = {"name": pattern, "allow-no-servers": "yes"}
        try:
            found = self._read(list[ServerAtKamatera], "POST", "service/server/info", json=body)
        except KamateraRefusedError as error:
            if _NONE_FOUND in str(error):  # of an older server
                return []
            raise
        return [server for server in found if re.fullmatch(pattern, server.name)]

    def create_server(self, wish: Mapping[str, Any]) -> str:
        """Ask for a server; return the command that the queue has for it. It is not tried again."""
        return self._call(list[str], "POST", "service/server", json=wish)[0]

    def terminate(self, server: str) -> str:
        """Ask for the end of a server, by its id; return the command."""
        body = {"id": server, "force": True}
        return self._call(list[str], "POST", "service/server/terminate", json=body)[0]

    def command(self, identity: str) -> QueuedCommand:
        """Return how far a command is."""
        found = self._read(list[QueuedCommand], "GET", f"service/queue?id={identity}")
        if len(found) != 1:
            raise KamateraRefusedError(f"Kamatera knows no command {identity}")
        return found[0]

    def queue(self) -> list[QueueEntry]:
        """Return the commands of late."""
        return self._read(list[QueueEntry], "GET", "svc/queue")

    def networks(self, datacenter: str) -> list[NetworkAtKamatera]:
        """Return the private networks of a datacenter."""
        return self._read(list[NetworkAtKamatera], "GET", f"service/networks?datacenter={datacenter}")

    def subnets(self, datacenter: str, vlan: str) -> list[SubnetAtKamatera]:
        """Return the parts of a private network."""
        path = f"service/network/subnets?datacenter={datacenter}&vlanId={vlan}"
        return self._read(list[SubnetAtKamatera], "GET", path)

    def change_network(self, what: str, body: Mapping[str, Any]) -> None:
        """Create or delete a network or a part of it; `what`: create, delete, subnet/delete."""
        self._call(dict[str, Any], "POST", f"service/network/{what}", json=body)

    def start_task(self, what: str, configuration: str) -> str:
        """Start a task of their Kubernetes service with a cluster's configuration (YAML); return its id."""
        return self._call(dict[str, str], "POST", f"k8s/{what}", data={"kconfig": configuration})["task_id"]

    def task(self, identity: str) -> ServiceTask:
        """Return how far a task is."""
        return self._read(ServiceTask, "POST", "k8s/task_status", data={"task_id": identity})

    def _read(self, shape: type[T], method: str, path: str, **content: Any) -> T:
        """Call what changes nothing, and again when Kamatera is away for a moment."""
        for attempt in range(TRIES - 1):
            try:
                return self._call(shape, method, path, **content)
            except KamateraAwayError:
                time.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
        return self._call(shape, method, path, **content)

    def _call(self, shape: type[T], method: str, path: str, **content: Any) -> T:
        headers = {"AuthClientId": self._key.account_id, "AuthSecret": self._key.secret, "Accept": "application/json"}
        try:
            with requests.request(
                method, f"{self._url}/{path}", headers=headers, timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                allow_redirects=False, stream=True, **content,
            ) as answer:  # fmt: skip
                body = answer.raw.read(MAX_ANSWER_BYTES, decode_content=True)
                status = answer.status_code
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise KamateraAwayError(f"Kamatera's API ({self._url}) does not answer: {_cause(error)}") from None
        return _answer(shape, status, body)


def _answer(shape: type[T], status: int, body: bytes) -> T:
    """Return what an answer holds. Raises the errors of KamateraClient."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    said = reason(found)
    if status == 401:
        raise WrongApiKeyError(
            f"Kamatera does not take this Account ID with this Secret ({said or 401}); they are those of an API key, "
            f"which {API_KEYS} shows and makes"
        )
    if status == 429:
        raise KamateraAwayError(f"Kamatera has had too many requests ({said or 429}); try again in a few minutes")
    if status >= 500 and not said:
        raise KamateraAwayError(f"Kamatera's API answers {status}; try again later")
    if status != 200 or (isinstance(found, dict) and "errors" in found):
        raise KamateraRefusedError(f"Kamatera refuses: {said or status}")
    try:
        return TypeAdapter(shape).validate_python(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise KamateraRefusedError(
            f"Kamatera's API answers otherwise than it was when dppctl was made ({where}: {first['msg']}); "
            "a newer dppctl may know"
        ) from None


def reason(found: object) -> str:
    """Return Kamatera's own words of an error, in one line; "": it says none. Pure."""
    if isinstance(found, str):
        try:
            return reason(json.loads(found)) or _line(found)
        except ValueError:
            return _line(found)
    if not isinstance(found, dict):
        return ""
    if message := reason(found.get("message")):
        return message
    errors = found.get("errors") or []
    if not errors:
        return next((said for each in found.get("responses") or [] if (said := reason(each))), "")
    infos = [f"{each.get('info', '')} ({each.get('code', '?')})".strip() for each in errors if isinstance(each, dict)]
    return _line("; ".join(infos))


def _checked_url(url: str) -> str:
    """Return the API's address without a slash at its end. Raises InputError for http to another machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")):
        return url.rstrip("/")
    raise InputError(f"{URL_VARIABLE} {url[:200]!r}: must be https://…, as it is sent a secret")


def _line(text: str) -> str:
    return " ".join(text.split())[:500]


def _cause(error: BaseException) -> str:
    return re.sub(r"^.*?(\[Errno[^)\"]*|Name or service[^)\"]*|timed out).*$", r"\1", str(error), flags=re.DOTALL)[:200]
