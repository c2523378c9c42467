"""`dppctl init PROVIDER` of a cluster, from the first question to the last line: read it top to bottom."""

import shutil
from collections.abc import Callable

from cli.errors import InputError
from cli.init.clusters.begun import flags_of, keep
from cli.init.clusters.bring_up import bring_up, lacks_access
from cli.init.prompts import Questions
from cli.init.runs.flags import AuthFlags, RunsFlags
from cli.init.runs.flow import remove_runs, runs_answers, set_up_runs
from cli.providers.provider import Provider
from cli.remote.clusters import InitializedCluster, check_name, forget_initialized, read_clusters, remove_cluster
from cli.remote.tokens import forget_token


def init_cluster(
    name: str,
    provider: Provider,
    flags: RunsFlags,
    auth: AuthFlags,
    questions: Questions,
    say: Callable[[str], None],
    *,
    dry_run: bool,
) -> None:
    """Have the cluster, operator, proxy and pool there, and this person know them by that name.

    What takes long goes on by itself; the next call comes back to it. Raises InputError and DppctlError.
    """
    if flags.cluster_name:
        check_name(name)
    if provider.is_joined:
        provider.join(name, questions, say, dry_run=dry_run)
        return
    _check_helm()
    runs, auth = flags_of(read_clusters().initialized.get(name), flags, auth)
    answers = runs_answers(name, provider, runs, dry_run=dry_run)

    def keep_it(*, ready: bool = False) -> None:
        if provider.makes_cluster:
            keep(name, provider.kind, provider.settings(), runs, auth, ready=ready)

    if not bring_up(provider, questions, say, keep_it, dry_run=dry_run):
        return
    if dry_run and lacks_access(provider, say):
        return
    if not dry_run:
        keep_it()
    set_up_runs(provider, answers, auth, runs.url or "", runs.usage, questions, say)
    if not dry_run:
        keep_it(ready=True)


def remove_made(
    name: str,
    provider: Provider,
    flags: RunsFlags,
    questions: Questions,
    say: Callable[[str], None],
    *,
    dry_run: bool,
) -> None:
    """Undo `init_cluster`: the runs there, then what the provider made. Says what is left. Raises InputError."""
    answers = runs_answers(name, provider, flags, dry_run=dry_run)
    is_asked = provider.makes_cluster and not provider.is_joined and not dry_run
    if is_asked and not questions.confirm(f"Remove the cluster {name}, with all that runs there?", default=False):
        raise InputError("nothing was removed")
    if not provider.is_joined:
        provider.ask(questions)
        if provider.state().phase == "ready" and not (dry_run and lacks_access(provider, say)):
            _check_helm()
            try:
                remove_runs(provider, answers, say)
            except InputError as error:  # a cluster that is broken can be removed, with what is in it
                if not provider.makes_cluster:
                    raise
                say(f"  left     what runs there: {error}")
    for line in provider.remove(dry_run=dry_run):
        is_left = line.startswith(("leave ", "keep "))
        say(f"  {'stays' if is_left else 'would' if dry_run else 'done '}    {line}")
    if dry_run:
        return
    if name in read_clusters().by_name:
        remove_cluster(name)
        forget_token(name)
        say(f"  done     forget the cluster {name} and its token here")
    forget_initialized(name)


def known_settings(name: str, kind: str) -> dict[str, str]:
    """Return the settings with which a cluster of that name was begun; {}: it was not, or is of another kind."""
    found: InitializedCluster | None = read_clusters().initialized.get(name)
    return dict(found.settings) if found and found.provider == kind else {}


def _check_helm() -> None:
    """Raise InputError where helm, which installs dppctl's charts, is not found: before anything is made."""
    if shutil.which("helm") is None:
        raise InputError("helm is not on the PATH; https://helm.sh/docs/intro/install/ says how to get it")
