"""What runs need on a cluster, a step each: a person's token, helm's release, and that the person's commands know."""

import base64
import json
import tempfile
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bot.errors import DppctlError
from bot.kubernetes import KubernetesClient, KubernetesError
from bot.model.account import SCOPES
from cli.errors import InputError
from cli.init.runs.answers import PROXY, RELEASE, TOKENS_SECRET, RunsAnswers
from cli.init.runs.chart import chart_folder
from cli.init.steps.step import Change
from cli.remote.clusters import NamedCluster, add_cluster, read_clusters, use_cluster
from cli.remote.tokens import keep_token, read_token
from cluster.proxy.tokens import TokenFileError, TokenRecord, hash_of, make_token
from cluster.sync.helm.helm import Helm
from cluster.sync.helm.releases import newest

_RECORDS = TypeAdapter(tuple[TokenRecord, ...])
_DEPLOYED = "deployed"  # https://helm.sh/docs/helm/helm_status/


@dataclass(frozen=True)
class TokenStep:
    """The proxy knows the token that this person keeps for the cluster; a change makes a new one."""

    client: KubernetesClient
    namespace: str
    answers: RunsAnswers

    def observe(self) -> Change | str:
        """Look whether the token that is kept here is one of the Secret's. What it is is shown to nobody."""
        kept, records = _kept_token(self.answers.cluster), self._read()
        found = next((record for record in records if kept and record.sha256 == hash_of(kept)), None)
        if found:
            return f"a token of {found.user} for the cluster {self.answers.cluster} is kept here"
        text = f"make a token of token:{self.answers.user} for the cluster {self.answers.cluster}"
        return Change(f"{text}; the Secret {TOKENS_SECRET} gets its hash", lambda: self._make(records))

    def _make(self, records: tuple[TokenRecord, ...]) -> str:
        """Keep the token here first: one whose hash is not there yet harms nobody, and the next run makes another."""
        try:
            token, record = make_token(f"dppctl init of {self.answers.user}", self.answers.user, SCOPES)
        except TokenFileError as error:
            raise InputError(f"--token-user: {error}") from None
        store = keep_token(self.answers.cluster, token)
        text = _RECORDS.dump_json((*records, record), indent=1).decode()
        body = {"metadata": {"name": TOKENS_SECRET}, "stringData": {"tokens.json": text}}
        try:
            if self._secret() is None:
                self.client.create(self._path(""), body)
            else:
                self.client.patch(self._path(f"/{TOKENS_SECRET}"), body)
        except KubernetesError as error:
            raise InputError(f"the Secret {TOKENS_SECRET} cannot be written: {error.reason}") from None
        return f"the token is in {store}"

    def _read(self) -> tuple[TokenRecord, ...]:
        try:
            data: Mapping[str, str] = (self._secret() or {}).get("data") or {}
            return _RECORDS.validate_json(base64.b64decode(data.get("tokens.json", "")) or b"[]")
        except KubernetesError as error:
            raise InputError(f"the Secret {TOKENS_SECRET} cannot be read: {error.reason}") from None
        except ValidationError as error:
            said = error.errors(include_url=False, include_input=False)[0]["msg"]
            what = f"the Secret {TOKENS_SECRET}: tokens.json cannot be read: {said}"
            raise InputError(f"{what}; mend it, or delete the Secret and with it all tokens") from None

    def _secret(self) -> dict[str, Any] | None:
        return self.client.get(self._path(f"/{TOKENS_SECRET}"))

    def _path(self, rest: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets{rest}"


@dataclass(frozen=True)
class ReleaseStep:
    """Helm's release of operator, proxy and pool is what the answers say."""

    client: KubernetesClient
    context: str
    namespace: str
    answers: RunsAnswers

    def observe(self) -> Change | str:
        """Look at what helm wrote down last. Raises InputError where another release has an operator."""
        labels = f"app.kubernetes.io/component=operator,app.kubernetes.io/instance!={RELEASE}"
        others = self.client.list(f"/apis/apps/v1/namespaces/{self.namespace}/deployments", labels)
        if others:
            other = others[0]["metadata"]["labels"]["app.kubernetes.io/instance"]
            raise InputError(
                f"the release {other} has an operator in namespace {self.namespace} already; change its values "
                "(pool.workers of charts/dppctl), or give another --namespace"
            )
        release = newest(self.client, self.namespace, RELEASE)
        if release and (release.fingerprint, release.status) == (self.answers.fingerprint(), _DEPLOYED):
            return f"the release {RELEASE} in namespace {self.namespace} is installed"
        verb = "upgrade" if release else "install"
        return Change(f"{verb} the release {RELEASE} in namespace {self.namespace} by helm", self._install)

    def _install(self) -> None:
        with tempfile.TemporaryDirectory() as folder, chart_folder() as chart:
            values, more = Path(folder, "values.json"), Path(folder, "more.yaml")
            values.write_text(json.dumps(self.answers.values()))
            more.write_text(self.answers.more_values)
            with closing(_helm(self.context, folder, self.answers.seconds)) as helm:
                fingerprint = self.answers.fingerprint()
                helm.apply(RELEASE, self.namespace, chart, [values, more], fingerprint, threading.Event())


@dataclass(frozen=True)
class KnownClusterStep:
    """The commands of this person know the cluster, and use it."""

    cluster: NamedCluster

    def observe(self) -> Change | str:
        """Look into the file of clusters."""
        known, name = read_clusters(), self.cluster.name
        found = known.by_name.get(name)
        if found and replace(found, login="") == self.cluster and known.current == name:
            return f"`dppctl run` uses the cluster {name}"
        return Change(f"have `dppctl run` use the cluster {name}: {self.cluster}", self._choose)

    def _choose(self) -> None:
        add_cluster(self.cluster)
        use_cluster(self.cluster.name)


def _kept_token(cluster: str) -> str | None:
    try:
        return read_token(cluster)
    except InputError:
        return None


def known_cluster(answers: RunsAnswers, context: str, namespace: str) -> NamedCluster:
    """Return how the proxy is reached without an Ingress: by its Service, through Kubernetes' API."""
    return NamedCluster(answers.cluster, context=context, namespace=namespace, service=PROXY)


def has_usage(client: KubernetesClient, namespace: str) -> bool:
    """Return whether a usage server is installed. Raises KubernetesError."""
    return client.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/{RELEASE}-usage") is not None


def uninstall(client: KubernetesClient, context: str, namespace: str, seconds: float) -> str | None:
    """Remove the release, and say so; None: it is not there. Raises DppctlError."""
    if newest(client, namespace, RELEASE) is None:
        return None
    with tempfile.TemporaryDirectory() as folder, closing(_helm(context, folder, seconds)) as helm:
        helm.uninstall(RELEASE, namespace, threading.Event())
    return f"uninstall the release {RELEASE} in namespace {namespace}"


def _helm(context: str, folder: str, seconds: float) -> Helm:
    try:
        return Helm("helm", Path(folder), seconds, context=context)
    except DppctlError as error:
        raise InputError(str(error)) from None
