"""The public bucket of a cluster, and the Google account that may write there: by workload identity, without keys.

The publisher's Kubernetes service account is that Google account, which may read and write the objects of this bucket
and nothing else. https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity
"""

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import InputError
from cli.init.runs.answers import RELEASE
from cli.limits import GCLOUD_ACCOUNT_SECONDS, GCLOUD_ACCOUNT_TRIES
from cli.providers.gcloud_cli import ExistsError, Gcloud, GcloudError, NotFoundError

PUBLISHER = f"{RELEASE}-publisher"  # the publisher's Kubernetes service account
IDENTITY = "iam.gke.io/gcp-service-account"  # annotation of a Kubernetes service account
# Pages of any site may read what is public: https://cloud.google.com/storage/docs/cross-origin
_CORS = [
    {
        "origin": ["*"],
        "method": ["GET", "HEAD"],
        "responseHeader": ["Content-Type", "Content-Length", "Content-Range", "Accept-Ranges", "ETag"],
        "maxAgeSeconds": 3600,
    }
]
_PUBLIC, _WRITER, _IDENTITY = "roles/storage.objectViewer", "roles/storage.objectUser", "roles/iam.workloadIdentityUser"


@dataclass(frozen=True)
class PublicBucket:
    """A bucket that all people may read, and the account that writes there."""

    gcloud: Gcloud
    bucket: str
    location: str  # a region, or a zone of it
    account: str  # the Google account's name, before the @
    pod_account: str  # NAMESPACE/NAME of the publisher's Kubernetes service account
    keep_days: int = 0  # of what single runs published; 0: for ever
    run_prefix: str = ""  # how the names of what runs publish begin

    @property
    def email(self) -> str:
        """Return the Google account's address."""
        return f"{self.account}@{self.gcloud.project}.iam.gserviceaccount.com"

    @property
    def url(self) -> str:
        """Return where people read the bucket."""
        return f"https://storage.googleapis.com/{self.bucket}"

    def has_bucket(self) -> bool:
        """Return whether it is there. Raises GcloudError for one that is somebody else's."""
        try:
            self.gcloud.ask("storage", "buckets", "describe", f"gs://{self.bucket}")
        except NotFoundError:
            return False
        except GcloudError as error:
            raise GcloudError(f"the bucket {self.bucket}: {error}; or name another: --gcloud-bucket") from None
        return True

    def make_bucket(self) -> None:
        """Make it: rights for the whole bucket only, what was left half uploaded goes, all people may read."""
        with tempfile.TemporaryDirectory() as folder:
            lifecycle, cors = Path(folder, "lifecycle.json"), Path(folder, "cors.json")
            lifecycle.write_text(json.dumps(self.lifecycle()))
            cors.write_text(json.dumps(_CORS))
            region = self.location.rpartition("-")[0] if self.location[-2:-1] == "-" else self.location
            uniform = ("--uniform-bucket-level-access", "--no-public-access-prevention")
            self._bucket("create", f"--location={region}", *uniform, f"--lifecycle-file={lifecycle}")
            self._bucket("update", f"--cors-file={cors}")
        self._bucket("add-iam-policy-binding", "--member=allUsers", f"--role={_PUBLIC}")

    def lifecycle(self) -> dict[str, Any]:
        """Return what goes by itself (https://cloud.google.com/storage/docs/lifecycle): never what is deployed."""
        rules: list[dict[str, Any]] = [{"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 1}}]
        if self.keep_days:
            condition = {"age": self.keep_days, "matchesPrefix": [self.run_prefix]}
            rules.append({"action": {"type": "Delete"}, "condition": condition})
        return {"rule": rules}

    def make_account(self) -> None:
        """Make the account where it is not there, let it write into the bucket, and let the publisher be it."""
        with suppress(ExistsError):
            self.gcloud.run("iam", "service-accounts", "create", self.account, "--display-name=dppctl publisher")
        writer = (f"--member=serviceAccount:{self.email}", f"--role={_WRITER}")
        _once_known(lambda: self._bucket("add-iam-policy-binding", *writer))
        member = f"--member=serviceAccount:{self.gcloud.project}.svc.id.goog[{self.pod_account}]"
        policy = ("iam", "service-accounts", "add-iam-policy-binding", self.email, f"--role={_IDENTITY}", member)
        _once_known(lambda: self.gcloud.run(*policy))

    def remove_account(self) -> bool:
        """Delete the account, with its rights; return whether it was there."""
        with suppress(NotFoundError):
            member = f"--member=serviceAccount:{self.email}"
            self._bucket("remove-iam-policy-binding", member, f"--role={_WRITER}")
        try:
            self.gcloud.run("iam", "service-accounts", "delete", self.email)
        except NotFoundError:
            return False
        return True

    def values(self) -> dict[str, Any]:
        """Return values of charts/dppctl for it."""
        # https://rclone.org/googlecloudstorage/: who it is says the metadata server of the node
        remote = {"RCLONE_CONFIG_STORAGE_TYPE": "google cloud storage", "RCLONE_CONFIG_STORAGE_ENV_AUTH": "true"}
        env = [{"name": name, "value": value} for name, value in remote.items()]
        return {
            "storage": {
                "enabled": True,
                "engine": "bucket",
                "bucket": {"path": self.bucket, "env": env, "url": self.url},
                "serviceAccountAnnotations": {IDENTITY: self.email},
                "serverEnabled": False,  # people read the bucket itself
                "url": self.url,
            }
        }

    def _bucket(self, verb: str, *arguments: str) -> None:
        self.gcloud.run("storage", "buckets", verb, f"gs://{self.bucket}", *arguments)


def _once_known(change: Callable[[], object]) -> None:
    """Make a change about an account; one that was made a moment ago is not known everywhere for some seconds."""
    for _ in range(GCLOUD_ACCOUNT_TRIES - 1):
        try:
            change()
        except GcloudError as error:
            if not isinstance(error, NotFoundError) and "does not exist" not in str(error):
                raise
            time.sleep(GCLOUD_ACCOUNT_SECONDS)
        else:
            return
    change()


def check_bucket_name(name: str) -> None:
    """Raise InputError for what is no bucket's name (https://cloud.google.com/storage/docs/buckets#naming)."""
    good = set("abcdefghijklmnopqrstuvwxyz0123456789-_")
    if not (3 <= len(name) <= 63 and set(name) <= good and name[0].isalnum() and name[-1].isalnum()):
        raise InputError(f"gcloudBucket {name[:100]!r}: 3 to 63 small letters, digits, - and _")
