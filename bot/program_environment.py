"""The environment of the programs that dppctl runs: the variables that are listed here, and no others.

What runs in them is somebody else's code (a package's `setup.py`, a plug-in of helm), and whoever starts dppctl may
have a token in any variable. git and builders have lists of their own, which are shorter.
"""

import os

_COMMON = (
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "TERM", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE"),
    *("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "LD_LIBRARY_PATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
)
# Where the cluster is, and what the log-in programs that a kubeconfig names read.
CLUSTER = ("KUBECONFIG", "KUBERNETES_*", "AWS_*", "AZURE_*", "CLOUDSDK_*", "GOOGLE_*", "USE_GKE_GCLOUD_AUTH_PLUGIN")
# uv's own settings (https://docs.astral.sh/uv/reference/environment/), and what a package's build goes by.
PACKAGES = (
    *("UV_*", "NETRC", "CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS", "PKG_CONFIG_PATH"),
    *("CARGO_HOME", "RUSTUP_HOME", "PYC_INVALIDATION_MODE"),
)
# https://docs.podman.io/en/latest/markdown/podman.1.html#environment-variables
CONTAINERS = ("CONTAINERS_*", "CONTAINER_HOST", "STORAGE_*", "DBUS_SESSION_BUS_ADDRESS", "REGISTRY_AUTH_FILE")


def listed_environment(*more: str) -> dict[str, str]:
    """Return those of this process' variables that any program may have, and `more`; `UV_*`: all that begin so."""
    names = {*_COMMON, *more}
    beginnings = tuple(name[:-1] for name in names if name.endswith("*"))
    return {name: value for name, value in os.environ.items() if name in names or name.startswith(beginnings)}
