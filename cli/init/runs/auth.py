"""How people log in to the cluster that `dppctl init --workers` makes ready: what flags, questions or it itself say."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from bot.kubernetes import KubernetesClient, Object
from bot.settings.types import is_web
from cli.errors import InputError
from cli.init.prompts import Questions
from cli.init.runs.answers import RELEASE, AuthAnswers
from cli.init.runs.flags import PROVIDERS, AuthFlags, AuthMode, secret_variable
from cli.init.secret_stores import SecretStore
from cli.init.steps.step import Change

AUTH_KEYS = ("DPPCTL_AUTH_SERVICE_TOKEN", "DPPCTL_AUTH_KEY")


def answer(flags: AuthFlags, address: str, installed: AuthAnswers | None, questions: Questions) -> AuthAnswers:
    """Return how people are to log in; what no flag says stays as it is installed. Raises InputError."""
    before = installed or AuthAnswers()
    mode: AuthMode = flags.auth or (installed.mode if installed else "token")
    public_url = (address or before.public_url).rstrip("/")
    if public_url and not is_web(public_url):
        raise InputError(f"--url {public_url[:200]!r}: must be like https://dppctl.example.org")
    if mode != "oauth":
        return AuthAnswers(mode, public_url, admins=(flags.admins or before.admins) if mode == "token" else ())
    kept = dict(before.client_ids)
    chosen = {provider: flags.client_id(provider) or kept.get(provider, "") for provider in PROVIDERS}
    if not any(chosen.values()):
        chosen["github"] = questions.text("Client ID of the OAuth app at GitHub", "--github-client-id")
    public_url = public_url or questions.text("Where people reach it: https://HOST", "--url").rstrip("/")
    if not is_web(public_url) or urlsplit(public_url).scheme != "https":
        raise InputError(f"--url {public_url[:200]!r}: must be https://HOST, as browsers keep a login for https alone")
    metadata_url = flags.oidc_metadata_url or before.oidc_metadata_url
    if chosen["oidc"] and not metadata_url:
        metadata_url = questions.text("The provider's …/.well-known/openid-configuration", "--oidc-metadata-url")
    admins = flags.admins or before.admins
    admins = admins or (questions.text("Who may do everything: a login there, or PROVIDER:ID", "--admin"),)
    pairs = tuple((provider, identity) for provider, identity in chosen.items() if identity)
    return AuthAnswers(mode, public_url, pairs, metadata_url, admins)


def installed_auth(client: KubernetesClient, namespace: str) -> AuthAnswers | None:
    """Return how people log in as it is installed; None: nothing is installed. Raises KubernetesError."""
    deployments = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    if (found := client.get(f"{deployments}/{RELEASE}-auth") or client.get(f"{deployments}/{RELEASE}-proxy")) is None:
        return None
    given = _environment(found)
    if not found["metadata"]["name"].endswith("-auth"):
        return AuthAnswers("none", given.get("DPPCTL_PUBLIC_URL", ""))
    ids = ((provider, given.get(f"DPPCTL_AUTH_{provider.upper()}_CLIENT_ID", "")) for provider in PROVIDERS)
    return AuthAnswers(
        mode="oauth" if given.get("DPPCTL_AUTH_MODE") == "oauth" else "token",
        public_url=given.get("DPPCTL_PUBLIC_URL", ""),
        client_ids=tuple((provider, identity) for provider, identity in ids if identity),
        oidc_metadata_url=given.get("DPPCTL_AUTH_OIDC_METADATA_URL", ""),
        admins=tuple(filter(None, given.get("DPPCTL_AUTH_ADMINS", "").split(","))),
    )


@dataclass(frozen=True)
class ClientSecretStep:
    """The cluster's Secret has the secret of a provider's client."""

    store: SecretStore
    provider: str
    given: str
    questions: Questions

    def observe(self) -> Change | str:
        """Look whether it is there, and the one that was given, if one was."""
        variable = secret_variable(self.provider)
        kept = self.store.read(variable)
        if kept and self.given in ("", kept):
            return f"the secret of the client at {self.provider}: in {self.store}"
        hint = "; restart the auth server for it: kubectl rollout restart deployment" if kept else ""
        return Change(f"keep the secret of the client at {self.provider} in {self.store}{hint}", self._keep)

    def _keep(self) -> None:
        flag = f"--{self.provider}-client-secret-file"
        self.store.write(
            {secret_variable(self.provider): self.given or self.questions.secret(f"Its secret ({self.provider})", flag)}
        )


def _environment(deployment: Object) -> dict[str, str]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in container.get("env") or []}
