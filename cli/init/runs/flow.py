"""What runs need on a cluster that is ready, and its end, from the first step to the last: read it top to bottom."""

from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from ipaddress import ip_network

from ruamel.yaml import YAML

from bot.kubernetes import ApiAwayError, ApiError, KubernetesClient, KubernetesError
from cli.errors import InputError
from cli.init.prompts import Questions
from cli.init.runs.answers import (
    SECRET,
    TOKENS_SECRET,
    AuthAnswers,
    RunsAnswers,
    default_image,
    default_user,
    default_worker_image,
)
from cli.init.runs.auth import AUTH_KEYS, ClientSecretStep, answer, installed_auth
from cli.init.runs.flags import PROVIDERS, AuthFlags, RunsFlags
from cli.init.runs.readiness import wait_until_ready
from cli.init.runs.steps import KnownClusterStep, ReleaseStep, TokenStep, has_usage, known_cluster, uninstall
from cli.init.secret_stores import KubernetesSecret, secret_key
from cli.init.steps.new_secrets import NewSecretsStep
from cli.init.steps.step import run
from cli.limits import INIT_NODE_SECONDS, RUNS_READY_SECONDS
from cli.providers.provider import Provider
from cli.remote.clusters import read_clusters, remove_cluster
from cli.remote.tokens import forget_token

_RUNS_KEYS = ("DPPCTL_OPERATOR_TOKEN", "DPPCTL_POOL_KEY", "DPPCTL_PUBLISHER_TOKEN")
_USAGE_KEYS = ("DPPCTL_USAGE_TOKEN", "DPPCTL_PROXY_SERVICE_TOKEN")
_RUNS = "/apis/dppctl.io/v1alpha1"


def runs_answers(name: str, provider: Provider, flags: RunsFlags, *, dry_run: bool) -> RunsAnswers:
    """Return what is to be on a cluster that this person calls `name`; what no flag says is the provider's default."""
    return RunsAnswers(
        workers=provider.default_workers if flags.workers is None else flags.workers,
        databases=provider.default_databases if flags.databases is None else flags.databases,
        image=flags.image or default_image(),
        worker_image=flags.worker_image or default_worker_image(),
        cluster=name,
        user=flags.token_user or default_user(),
        seconds=flags.wait or RUNS_READY_SECONDS + (INIT_NODE_SECONDS if provider.grows else 0),
        more_values=flags.values.read_text(encoding="utf8") if flags.values else "",
        dry_run=dry_run,
    )


def set_up_runs(
    provider: Provider,
    answers: RunsAnswers,
    flags: AuthFlags,
    url: str,
    usage: bool | None,
    questions: Questions,
    say: Callable[[str], None],
) -> int:
    """Have operator, proxy and a pool that keeps running, and this person know them; return how many changes it took.

    `flags`, `url`: how people log in, and where; `usage`: whether there is a usage server, None: as it is.

    Raises InputError and DppctlError.
    """
    client, context = provider.connect()
    namespace = provider.namespace
    answers.values()  # images that are none are said first
    auth = answer(flags, url, _installed(client, namespace), questions)
    if made := provider.start(dry_run=answers.dry_run):
        say(f"{'would ' if answers.dry_run else ''}{made}")
        if answers.dry_run:
            return 1
    say(provider.ready())
    provider.prepare_runs(questions, say, dry_run=answers.dry_run)
    secret = KubernetesSecret(client, namespace, SECRET)
    try:
        counts = has_usage(client, namespace) if usage is None else usage
        answers = replace(
            answers,
            except_addresses=_not_for_workers(client),
            auth=auth,
            usage=counts,
            provider_values=provider.runs_values(),
        )
        keys = _RUNS_KEYS + (AUTH_KEYS if auth.mode != "none" else ()) + (_USAGE_KEYS if counts else ())
        changes = run(
            [
                NewSecretsStep(secret, keys, "the keys of the servers and workers"),
                *(ClientSecretStep(secret, each, flags.secret(each), questions) for each, _ in auth.client_ids),
                TokenStep(client, namespace, answers),
                ReleaseStep(client, context, namespace, answers),
            ],
            say,
            dry_run=answers.dry_run,
        )
        known = KnownClusterStep(replace(known_cluster(answers, context, namespace), publish_to=provider.publish_to()))
        if answers.dry_run:
            return changes + run([known], say, dry_run=True)
        say(provider.ready_line(answers.workers, answers.databases))
        wait_until_ready(client, namespace, answers.seconds, say, grows=provider.grows)
    except KubernetesError as error:
        raise InputError(f"the cluster refuses: {error.reason}") from None
    changes += run([known], say, dry_run=False)
    for callback in auth.callbacks():
        say(f"callback address that the OAuth app needs: {callback}")
    say("dppctl initialization completed successfully")
    return changes


def remove_runs(provider: Provider, answers: RunsAnswers, say: Callable[[str], None]) -> int:
    """Undo `set_up_runs`: the namespace and the kind PipelineRun stay, which others may use.

    Returns how many changes it took. Raises InputError.
    """
    client, context = provider.connect()
    namespace = provider.namespace
    done: list[str] = []
    try:
        runs = _runs(client, namespace)
        if answers.dry_run:
            say(f"would remove the release, its Secrets and {len(runs)} runs in namespace {namespace}")
            return len(runs)
        for path in runs:
            client.delete(path)
        done += [f"delete {len(runs)} runs"] if runs else []
        if uninstalled := uninstall(client, context, namespace, answers.seconds):
            done.append(uninstalled)
        done += _remove_secrets(client, f"/api/v1/namespaces/{namespace}/secrets")
    except KubernetesError as error:
        raise InputError(f"the cluster refuses: {error.reason}") from None
    if answers.cluster in read_clusters().by_name:
        remove_cluster(answers.cluster)
        forget_token(answers.cluster)
        done.append(f"forget the cluster {answers.cluster} and its token here")
    for text in done or ["nothing is there any more"]:
        say(f"  done     {text}" if done else f"  ok       {text}")
    if not provider.makes_cluster:
        say(f"the namespace {namespace} and the kind PipelineRun stay as they are")
    return len(done)


def _installed(client: KubernetesClient, namespace: str) -> AuthAnswers | None:
    """Return how people log in there now; None: nothing is installed, or the cluster is only to be started."""
    try:
        return installed_auth(client, namespace)
    except ApiAwayError:
        return None
    except KubernetesError as error:
        raise InputError(f"the cluster refuses: {error.reason}") from None


def _remove_secrets(client: KubernetesClient, path: str) -> list[str]:
    """Remove the tokens, and the keys of runs beside what else dppctl keeps; return what was done."""
    done = []
    if client.get(f"{path}/{TOKENS_SECRET}"):
        client.delete(f"{path}/{TOKENS_SECRET}")
        done.append(f"delete the Secret {TOKENS_SECRET}: its tokens are of no use any more")
    kept = (client.get(f"{path}/{SECRET}") or {}).get("data") or {}
    clients = {f"auth-{provider}-client-secret" for provider in PROVIDERS}
    made = {secret_key(name) for name in (*_RUNS_KEYS, *AUTH_KEYS, *_USAGE_KEYS)}
    own = (made | clients) & kept.keys()
    if own and own == kept.keys():
        client.delete(f"{path}/{SECRET}")
    elif own:
        client.patch(f"{path}/{SECRET}", {"data": dict.fromkeys(own)})
    return [*done, f"remove the keys of operator and workers from the Secret {SECRET}"] if own else done


def _runs(client: KubernetesClient, namespace: str) -> list[str]:
    """Return the paths of the runs in the namespace; none where the cluster does not know the kind."""
    path = f"{_RUNS}/namespaces/{namespace}/pipelineruns"
    try:
        return [f"{path}/{found['metadata']['name']}" for found in client.list(path)]
    except ApiError as error:
        if error.status == 404:
            return []
        raise


def _not_for_workers(client: KubernetesClient) -> tuple[str, ...]:
    """Return the chart's private ranges, and the addresses of the API server, which may be public ones."""
    try:
        found = client.get("/api/v1/namespaces/default/endpoints/kubernetes") or {}
    except ApiError:
        return ()  # this person may not look; the chart's own ranges hold
    addresses = [each["ip"] for subset in found.get("subsets") or [] for each in subset.get("addresses") or []]
    public = [str(ip_network(address)) for address in addresses if not ip_network(address).is_private]
    values = YAML(typ="safe").load((files("charts") / "dppctl-pipelines" / "values.yaml").read_text(encoding="utf8"))
    return (*values["workers"]["exceptAddresses"], *public) if public else ()
