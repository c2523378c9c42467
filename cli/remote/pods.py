"""`dppctl list pods`, `dppctl stop` and `dppctl logs` on a cluster."""

from collections.abc import Sequence

from bot.near_names import name_hint
from cli.errors import InputError
from cli.remote.client import ProxyClient
from cli.remote.errors import ProxyRefusedError
from cli.remote.following import RunFollower, age_of
from cli.remote.interrupts import Interrupted, Interrupts
from cli.run.report import RunReport
from cluster.local.durations import short
from cluster.runs_api import RunInfo


def listed_pods(proxy: ProxyClient) -> list[dict[str, str | None]]:
    """Return the cluster's pods as `list pods` shows them, those of a kind together."""
    pods = sorted(proxy.pods(), key=lambda pod: (pod.kind != "worker", pod.name))
    return [
        {"name": pod.name, "status": pod.state, "age": short(age_of(pod)), "pool": pod.pool, "run": pod.run}
        for pod in pods
    ]


def stop_all(proxy: ProxyClient, names: Sequence[str]) -> list[str]:
    """Stop runs, and remove pods, by their names (`all`: this person's runs that go on); return those of what ends.

    Raises InputError for a name that nothing has.
    """
    if tuple(names) == ("all",):
        names = [run.name for run in proxy.runs() if not run.phase.has_ended]
    for name in names:
        _stop(proxy, name)
    return list(names)


def show_log(proxy: ProxyClient, name: str, report: RunReport) -> int:
    """Report a run from its start to its end, which may be long ago; return its exit code. Ctrl-C leaves it alone."""
    with Interrupts() as interrupts:
        follower = RunFollower(proxy, _run(proxy, name), report, interrupts, 0.0)
        try:
            return follower.follow()
        except Interrupted:
            return 128 + interrupts.number


def _stop(proxy: ProxyClient, name: str) -> None:
    """Stop the run of this name or, where none has it, remove the pod."""
    try:
        proxy.stop_run(name)
    except ProxyRefusedError as error:
        if error.status != 404:
            raise
        try:
            proxy.remove_pod(name)
        except ProxyRefusedError as other:
            if other.status != 404:
                raise
            known = (*(run.name for run in proxy.runs()), *(pod.name for pod in proxy.pods()))
            what = f"there is no run and no pod {name} on {proxy.cluster.name}"
            raise InputError(f"{what}; {name_hint(name, known)}") from None


def _run(proxy: ProxyClient, name: str) -> RunInfo:
    """Return a run. Raises InputError, with what was probably meant, where there is none of this name."""
    try:
        return proxy.run(name)
    except ProxyRefusedError as error:
        if error.code != "no-such-run":
            raise
        known = (run.name for run in proxy.runs())
        raise InputError(f"there is no run {name} of yours on {proxy.cluster.name}; {name_hint(name, known)}") from None


def refusal_of_pod(proxy: ProxyClient, name: str, error: ProxyRefusedError) -> Exception:
    """Return what to raise for a refusal about a pod: with what was probably meant where none has the name."""
    if error.code != "no-such-pod":
        return error
    known = (pod.name for pod in proxy.pods())
    return InputError(f"there is no pod {name} of yours on {proxy.cluster.name}; {name_hint(name, known)}")
