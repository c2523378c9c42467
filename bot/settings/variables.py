"""Which variables `DPPCTL_…` exist, so that a misspelt one is found."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from bot.settings.settings import Settings
from bot.settings.types import Section

PREFIX = "DPPCTL_"
KEYRING = "DPPCTL_KEYRING"  # a service of the system's keyring that holds secrets
# What other parts read themselves, or set for the programs that they start. Not a setting of a server, but no mistake.
_OF_OTHERS = {
    # Of commands on one's own machine.
    *("DPPCTL_DATA_DIR", "DPPCTL_CACHE_DIR", "DPPCTL_KEEP", "DPPCTL_OWNER_TOKEN", "DPPCTL_TOKEN"),
    "DPPCTL_PUBLIC_CLUSTER_URL",
    *("DPPCTL_MAX_DOWNLOAD_BYTES", "DPPCTL_MAX_UNPACKED_BYTES", "DPPCTL_MAX_ENTRIES"),  # of `dppctl run URL`
    *("DPPCTL_CONFIG", "DPPCTL_DATABASE_PASSWORD", "DPPCTL_WAKE_FD"),  # of the receiver's processes, of the chart
    *("DPPCTL_DATA_PORT", "DPPCTL_DATA_TOKEN", "DPPCTL_STORAGE_AT"),  # of those of `dppctl up`, and of its Datasette
    # Of a worker.
    *("DPPCTL_WORKLOAD", "DPPCTL_ORIGIN", "DPPCTL_OWNER", "DPPCTL_PROCESS_MARK"),
    "DPPCTL_RESULT_FILE",
    *("DPPCTL_INSPECT_FILE", "DPPCTL_RESOURCES_FILE", "DPPCTL_QUICK", "DPPCTL_SERVE_ON"),  # of dpp's processes
    "DPPCTL_WORKLOAD_PATH",
    "DPPCTL_RUNNER",  # of the worker: who runs the pipelines
    *("DPPCTL_FOLDER", "DPPCTL_IMAGE", "DPPCTL_WAIT_FOR", "DPPCTL_WAIT_SECONDS"),  # of pipelines' pods
    *("DPPCTL_RUN", "DPPCTL_RUN_DATABASE", "DPPCTL_JOB", "DPPCTL_NEXT", "DPPCTL_BESIDE", "DPPCTL_KEPT"),
    "DPPCTL_RESTORES",
    *(
        "DPPCTL_OPERATOR_TOKEN",
        "DPPCTL_POOL_KEY",
        "DPPCTL_AUTH_SERVICE_TOKEN",
        "DPPCTL_AUTH_KEY",
        "DPPCTL_USAGE_TOKEN",
        "DPPCTL_PROXY_SERVICE_TOKEN",
        "DPPCTL_PUBLISHER_TOKEN",
    ),  # kept in the keyring by `dppctl init`
    "DPPCTL_REQUIRE_ALL",  # of the tests
}
_PREFIXES_OF_OTHERS = ("DPPCTL_TEST_", "DPPCTL_CI_")


def sections() -> dict[str, type[Section]]:
    """Return the sections of the settings by name."""
    kinds = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, Section)}


def variables() -> set[str]:
    """Return the names of the variables that are settings of the servers."""
    return {KEYRING, *_variables(Settings), *(name for kind in sections().values() for name in _variables(kind))}


def misspelt(names: Iterable[str]) -> dict[str, str | None]:
    """Return those of the names that begin as ours do and mean nothing, each with the known name that is nearest."""
    settings, known = variables(), variables() | _OF_OTHERS
    unknown = (name for name in names if name.startswith(PREFIX) and not name.startswith(_PREFIXES_OF_OTHERS))
    return {
        name: next(iter(get_close_matches(name, settings, n=1, cutoff=0.75)), None)
        for name in sorted(unknown)
        if name not in known
    }


def _variables(kind: type[Section]) -> Iterator[str]:
    return (field.validation_alias for field in kind.model_fields.values() if isinstance(field.validation_alias, str))
