"""Clusters at Kamatera, as `dppctl init kamatera` makes them: one server with k3s, or by choice their service."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from bot.kubernetes import ApiAwayError, KubernetesClient, KubernetesError
from cli.errors import InputError
from cli.providers.kamatera.choices import parse_choices
from cli.providers.kamatera.client import (
    ApiKey,
    KamateraAwayError,
    KamateraClient,
    KamateraRefusedError,
    WrongApiKeyError,
)
from cli.providers.kamatera.credentials import (
    ACCOUNT_FLAG,
    SECRET_FLAG,
    ask_for_key,
    find_key,
    forget_key,
    keep_key,
)
from cli.providers.kamatera.record import RecordFolder
from cli.providers.kamatera.server import KamateraServer
from cli.providers.kamatera.service import KamateraService
from cli.providers.kubeconfig import Kubeconfig
from cli.providers.kubeconfig_file import add_context, has_context, remove_context
from cli.providers.provider import ClusterState

if TYPE_CHECKING:
    from cli.init.prompts import Questions

PRICES = "https://console.kamatera.com/pricing"
_NAMESPACE = "kamateraNamespace"
_ACCOUNT, _SECRET_FILE = "kamateraAccountId", "kamateraSecretFile"  # of flags; no file keeps them


class Kamatera(Kubeconfig):
    """`kamateraDatacenter`, `kamateraName`, `kamateraMode`, `kamateraCpu`, `…Ram`, `…Disk` and `kamateraNamespace`."""

    kind = "kamatera"
    makes_cluster = True
    default_workers = 2
    default_databases = 1

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._choices = parse_choices(settings)
        self._account, self._secret_file = settings.get(_ACCOUNT) or "", settings.get(_SECRET_FILE) or ""
        self._context_name = f"kamatera-{self._choices.name}"
        self._key: ApiKey | None = None
        namespace = settings.get(_NAMESPACE) or "dppctl"
        super().__init__({"kubeconfigContext": self._context_name, "kubeconfigNamespace": namespace})

    def settings(self) -> dict[str, str]:
        """Return the choices and the namespace; the API key is none of them."""
        return {**self._choices.settings(), _NAMESPACE: self.namespace}

    def ask(self, questions: "Questions") -> None:
        """Ask for the API key, unless it is known, and try it; `start` keeps it. Raises InputError."""
        key = find_key(self._account, self._secret_file) or ask_for_key(questions, self._account)
        try:
            self._check_datacenter(key)
        except WrongApiKeyError as error:
            if self._secret_file or questions.is_silent:
                raise
            questions.note(str(error))
            key = ask_for_key(questions, self._account)
            self._check_datacenter(key)
        self._key = key

    def state(self) -> ClusterState:
        """Return how far it is: by what Kamatera says, the machine's script, and at last the API server."""
        found = self._cluster().state()
        if found.phase != "ready" or not has_context(self._context_name):
            return found
        try:
            KubernetesClient(context=self._context_name).version()
        except ApiAwayError as error:
            return ClusterState("failed", f"the cluster {self._context_name} does not answer: {error.reason[:200]}")
        except KubernetesError:
            pass  # it answers; what it refuses is said by who needs it
        return found

    def access_to_add(self) -> str:
        """Return that the kubeconfig file has no context of the cluster yet, or that an init was killed after that."""
        if not has_context(self._context_name):
            return f"add the context {self._context_name} to the kubeconfig file"
        record = RecordFolder(self._choices.name).read()
        return "write down that the cluster can be used" if record and not record.was_ready else ""

    def cost(self) -> str:
        """Say what is billed, and what Kamatera gets to see with their own service."""
        if self._choices.mode == "k8s":
            return (
                f"Kamatera bills two servers by the hour, each with {self._choices}, until they are removed "
                f"({PRICES}); their Kubernetes service (beta) is given an ssh key, made for this cluster, which opens "
                "both"
            )
        return f"Kamatera bills a server by the hour, with {self._choices}, until it is removed ({PRICES})"

    def start(self, *, dry_run: bool) -> str | None:
        """Ask for what is missing: the cluster, or of one that is ready the namespace. Raises InputError."""
        state = self.state()
        if self._key and not dry_run:
            keep_key(self._key)
        if state.phase == "missing":
            if dry_run:
                return f"make the cluster {self._choices.name} at Kamatera: {self._choices}"
            with RecordFolder(self._choices.name).alone():
                remove_context(self._context_name)  # of one that is gone
                return self._cluster().create()
        if state.phase == "failed":
            raise InputError(state.line)
        if state.phase == "starting" or (dry_run and not has_context(self._context_name)):
            return None
        return super().start(dry_run=dry_run)

    def ready(self) -> str:
        """Ask for the namespace, and tell Kamatera's price, where Kamatera answers."""
        line = super().ready().replace("kubeconfig cluster", "kamatera cluster", 1)
        with suppress(KamateraAwayError, KamateraRefusedError):
            if price := self._cluster().prices():
                return f"{line}; {price}"
        return line

    def remove(self, *, dry_run: bool) -> list[str]:
        """Terminate the servers that were made from here, and forget the keys. Raises InputError."""
        lines = self._cluster().remove(dry_run=dry_run)
        folder = RecordFolder(self._choices.name)
        if has_context(self._context_name):
            if not dry_run:
                remove_context(self._context_name)
            lines.append(f"remove the context {self._context_name} of the kubeconfig file")
        if others := folder.others():
            lines.append(f"keep Kamatera's API key: other clusters need it ({', '.join(others)})")
        elif dry_run or forget_key():
            lines.append("forget Kamatera's API key")
        return lines

    def _client(self) -> KubernetesClient:
        """Return a client; the first time get the credentials into the kubeconfig file. Raises InputError."""
        if not has_context(self._context_name):
            add_context(self._context_name, self._cluster().entries(self._context_name))
        folder = RecordFolder(self._choices.name)
        if (record := folder.read()) and not record.was_ready:
            folder.finish(record)
        return super()._client()

    def _cluster(self) -> KamateraServer | KamateraService:
        """Return the cluster as Kamatera has it. Raises InputError without an API key."""
        self._key = self._key or find_key(self._account, self._secret_file)
        if self._key is None:
            raise InputError(f"Kamatera's API key is not known; give {ACCOUNT_FLAG} and {SECRET_FLAG}")
        record = RecordFolder(self._choices.name).read()
        mode = record.mode if record else self._choices.mode
        kind = KamateraService if mode == "k8s" else KamateraServer
        return kind(self._choices, KamateraClient(self._key))

    def _check_datacenter(self, key: ApiKey) -> None:
        """Raise InputError for a datacenter that Kamatera does not have; its list tries the API key as well."""
        found = KamateraClient(key).datacenters()
        if self._choices.datacenter not in {each.id for each in found}:
            known = ", ".join(sorted(f"{each.id} ({each.name}, {each.sub_category})" for each in found))
            raise InputError(f"Kamatera has no datacenter {self._choices.datacenter}; choose of: {known}")
