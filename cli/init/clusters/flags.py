"""The flags of `dppctl init` that stand for a provider's settings: a line in this table for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from cli.errors import InputError


@dataclass(frozen=True)
class SettingFlag:
    """A flag, and the key that has the same in `.dppctl.yaml`; in scripts it answers what a person is asked."""

    provider: str
    flag: str
    key: str
    help: str
    choices: tuple[str, ...] = ()
    is_file: bool = False  # of a file that holds a secret; the key is never written to `.dppctl.yaml`

    @property
    def argument(self) -> str:
        """Return the name under which click has the value."""
        return self.flag.removeprefix("--").replace("-", "_")


_KAMATERA = (
    ("account-id", "kamateraAccountId", "the Account ID, of an API key; or KAMATERA_API_CLIENT_ID."),
    ("datacenter", "kamateraDatacenter", "where. [default: EU]"),
    ("name", "kamateraName", "of the server, or the cluster, there. [default: dppctl]"),
    ("cpu", "kamateraCpu", "of a server. [default: 2B]"),
    ("ram", "kamateraRam", "of a server, in MB. [default: 4096]"),
    ("disk", "kamateraDisk", "of a server, in GB. [default: 40]"),
)
SETTING_FLAGS: tuple[SettingFlag, ...] = (
    *(SettingFlag("kamatera", f"--kamatera-{name}", key, text) for name, key, text in _KAMATERA),
    SettingFlag(
        "kamatera",
        "--kamatera-secret-file",
        "kamateraSecretFile",
        "holds the Secret of that key; or KAMATERA_API_SECRET does.",
        is_file=True,
    ),
    SettingFlag(
        "kamatera",
        "--kamatera-mode",
        "kamateraMode",
        "a server of its own with k3s, or Kamatera's Kubernetes service (beta). [default: k3s]",
        choices=("k3s", "k8s"),
    ),
    SettingFlag("minikube-public", "--public-url", "minikubePublicUrl", "address of the public cluster, https://…"),
    SettingFlag("gcloud", "--gcloud-project", "gcloudProjectId", "the project's ID. [default: gcloud's]"),
    SettingFlag("gcloud", "--gcloud-zone", "gcloudZone", "the cluster's zone."),
    SettingFlag("gcloud", "--gcloud-location", "gcloudLocation", "or its zone or region. [default: gcloud's]"),
    SettingFlag("gcloud", "--gcloud-cluster", "gcloudClusterName", "its name. [default: dppctl]"),
    SettingFlag(
        "gcloud", "--gcloud-mode", "gcloudMode", "of a new one. [default: standard]", choices=("standard", "autopilot")
    ),
    SettingFlag("gcloud", "--gcloud-machine-type", "gcloudMachineType", "its nodes'. [default: e2-standard-2]"),
    SettingFlag("gcloud", "--gcloud-max-nodes", "gcloudMaxNodes", "so many at most, in each zone. [default: 3]"),
    SettingFlag("gcloud", "--gcloud-bucket", "gcloudBucket", "for public data; none: no bucket."),
    SettingFlag("gcloud", "--gcloud-keep-days", "gcloudKeepDays", "of what runs publish. [default: for ever]"),
)


def with_setting_flags(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the flags, as one argument `settings`: what was given, by key."""

    @wraps(command)
    def called(*arguments: Any, **given: Any) -> Any:
        values = {found.key: given.pop(found.argument) for found in SETTING_FLAGS}
        return command(
            *arguments, settings={key: str(value) for key, value in values.items() if value is not None}, **given
        )

    wrapped: Callable[..., Any] = called
    for found in reversed(SETTING_FLAGS):
        kind: Any = click.Path(exists=True, dir_okay=False, resolve_path=True) if found.is_file else None
        if found.choices:
            kind = click.Choice(found.choices)
        wrapped = click.option(found.flag, found.argument, type=kind, help=f"{found.provider}: {found.help}")(wrapped)
    return wrapped


def check_settings(settings: Mapping[str, str], provider: str) -> None:
    """Raise InputError for a flag that is another provider's."""
    for found in SETTING_FLAGS:
        # minikube-public is a minikube with more.
        if found.key in settings and not f"{provider}-".startswith(f"{found.provider}-"):
            raise InputError(f"{found.flag} is for {found.provider}, and this is {provider}; leave it out")
