"""A cluster of Google Kubernetes Engine, through the gcloud CLI: one that is there, or a new one that init makes.

https://cloud.google.com/sdk/gcloud/reference/container/clusters
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from bot.kubernetes import KubernetesClient, KubernetesError
from cli.errors import InputError
from cli.init.runs.answers import RELEASE
from cli.providers.gcloud_cli import Gcloud, NotFoundError, check_installed
from cli.providers.gcloud_settings import LABEL, MADE, GcloudSettings
from cli.providers.gcloud_storage import IDENTITY, PUBLISHER, PublicBucket, check_bucket_name
from cli.providers.kubeconfig import Kubeconfig
from cli.providers.kubeconfig_file import add_context, has_context, remove_context
from cli.providers.provider import ClusterState

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.init.prompts import Questions

_WAITING = "Waiting for gcloud cluster initialization"
_PLUGIN = "gke-gcloud-auth-plugin"
_HOW = "gcloud components install gke-gcloud-auth-plugin (or your system's google-cloud-cli-gke-gcloud-auth-plugin)"
# https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters#Cluster.Status
_READY, _STARTING = ("RUNNING", "RECONCILING"), ("PROVISIONING", "STATUS_UNSPECIFIED")


class GoogleCloud(Kubeconfig):
    """Settings `gcloudProjectId`, `gcloudZone` or `gcloudLocation`, …: docs/clusters.md has all of them."""

    kind = "gcloud"
    makes_cluster: ClassVar[bool] = True
    grows: ClassVar[bool] = True

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._of_cluster = GcloudSettings(settings)
        self._found: dict[str, Any] | None = None
        self._was_asked = self._is_begun = False
        super().__init__({"kubeconfigNamespace": self._of_cluster.namespace})

    def settings(self) -> dict[str, str]:
        """Return what the cluster is found by, as `.dppctl.yaml` has it."""
        self._of_cluster.complete()
        return self._of_cluster.to_keep()

    def ask(self, questions: "Questions") -> None:
        """Ask for project and location, where neither the settings nor gcloud's configuration have them."""
        _check_programs()
        self._of_cluster.complete(questions)

    def state(self) -> ClusterState:
        """Ask Google for the cluster."""
        _check_programs()
        cluster = self._completed()
        if self._is_begun:
            self._is_begun = False
            return ClusterState("starting", _WAITING)
        found = self._describe(again=True)
        where = f"{cluster.name} in {cluster.location} of the project {cluster.project}"
        if found is None:
            return ClusterState("missing", f"there is no cluster {where}")
        status, said = found.get("status", ""), found.get("statusMessage", "")
        if status in _READY:
            return ClusterState("ready", f"the cluster {where}")
        if status in _STARTING:
            return ClusterState("starting", _WAITING)
        what = f"the cluster {where} is {status.lower()}" + (f": {said}" if said else "")
        if status == "STOPPING":
            return ClusterState("failed", f"{what}; wait until it is gone, then run the same command again")
        return ClusterState("failed", f"{what}; mend that, or remove the cluster: dppctl init gcloud --remove")

    def access_to_add(self) -> str:
        """Return that the kubeconfig file has no context of the cluster yet."""
        return "" if has_context(self._context()) else f"add the context {self._context()} to the kubeconfig file"

    def cost(self) -> str:
        """Say what a new cluster costs, and by what."""
        return self._of_cluster.cost()

    def start(self, *, dry_run: bool) -> str | None:
        """Have Google begin to make the cluster; of one that is ready, make the namespace."""
        cluster = self._completed()
        if self._describe():
            return super().start(dry_run=dry_run)
        if not dry_run:
            self._gcloud.run(*cluster.creation())
            self._is_begun = True  # Google said so: there is nothing more to ask for now
        return f"make the GKE cluster {cluster.name} ({cluster['gcloudMode']}) in {cluster.location}"

    def ready(self) -> str:
        """Ask the API server for the namespace."""
        return super().ready().replace("kubeconfig cluster", "gcloud cluster", 1)

    def prepare_runs(self, questions: "Questions", say: "Callable[[str], None]", *, dry_run: bool) -> None:
        """Make the public bucket, and the account that writes there, unless the publisher is that account already."""
        storage = self._storage()
        if storage is None:
            return
        self._check_workload_identity()
        if self._publishes_as(storage.email):
            say(f"  ok       the publisher writes into gs://{storage.bucket} as {storage.email}")
            return
        has_bucket = storage.has_bucket()
        what = f"the public bucket gs://{storage.bucket}, which all people can read"
        if dry_run:
            say(f"  would    {'use' if has_bucket else 'make'} {what}, and the account {storage.email}")
            return
        if not has_bucket:
            say(f"{what}, is billed by what it holds and what is read: https://cloud.google.com/storage/pricing")
            if not questions.confirm("Make it?"):
                raise InputError("no bucket was made; to do without one: --gcloud-bucket none")
            storage.make_bucket()
            say(f"  done     make {what}")
        storage.make_account()
        say(f"  done     have the publisher write there as {storage.email}, without a key")

    def runs_values(self) -> dict[str, Any]:
        """Return the storage: the bucket, or none."""
        storage = self._storage()
        return storage.values() if storage else {}

    def remove(self, *, dry_run: bool) -> list[str]:
        """Delete the account and the cluster that init made; the bucket stays, with what was published."""
        lines, cluster, found = [], self._completed(), self._describe()
        if storage := self._storage():
            if dry_run or storage.remove_account():
                lines.append(f"delete the account {storage.email}, with its rights")
            if storage.has_bucket():
                more = f"gcloud storage rm --recursive gs://{storage.bucket} deletes it"
                lines.append(
                    f"leave the bucket gs://{storage.bucket}, with what was published, which is billed; {more}"
                )
        if found is None:
            return [*lines, f"leave nothing else: the cluster {cluster.name} is not there any more"]
        if (found.get("resourceLabels") or {}).get(LABEL) != MADE:
            return [*lines, f"leave the cluster {cluster.name}: dppctl init did not make it"]
        if not dry_run:
            remove_context(self._context())
            self._gcloud.run(
                "container", "clusters", "delete", cluster.name, f"--location={cluster.location}", "--async"
            )
        disks = "disks of its volumes may stay, and are billed: gcloud compute disks list"
        return [*lines, f"delete the cluster {cluster.name}, which takes Google some minutes; {disks}"]

    def _client(self) -> KubernetesClient:
        """Add to the kubeconfig file how the cluster is reached, as gcloud says it, where that is not known yet."""
        cluster = self._completed()
        if not has_context(self._context()):
            add_context(self._context(), self._gcloud.credentials(cluster.name, cluster.location))
        return super()._client()

    def _context(self) -> str:
        """Return the context's name, as gcloud calls it."""
        cluster = self._completed()
        return f"gke_{cluster.project}_{cluster.location}_{cluster.name}"

    @property
    def _gcloud(self) -> Gcloud:
        return Gcloud(self._of_cluster.project)

    def _completed(self) -> GcloudSettings:
        self._of_cluster.complete()
        return self._of_cluster

    def _describe(self, *, again: bool = False) -> dict[str, Any] | None:
        """Return the cluster as Google has it, or None; `again`: ask once more for one that was not ready."""
        is_ready = (self._found or {}).get("status") in _READY
        if not self._was_asked or (again and not is_ready):
            at = f"--location={self._of_cluster.location}"
            try:
                self._found = self._gcloud.ask("container", "clusters", "describe", self._of_cluster.name, at)
            except NotFoundError:
                self._found = None
            self._was_asked = True
        return self._found

    def _storage(self) -> PublicBucket | None:
        """Return the bucket and its account; None: `gcloudBucket: none`."""
        cluster = self._completed()
        bucket = cluster["gcloudBucket"] or f"{cluster.project}-{cluster.name}-public"[:63].rstrip("-")
        if bucket == "none":
            return None
        check_bucket_name(bucket)
        return PublicBucket(
            gcloud=self._gcloud,
            bucket=bucket,
            location=cluster.location,
            account=re.sub(r"-+$", "", f"publisher-{cluster.name}"[:30]),
            pod_account=f"{self.namespace}/{PUBLISHER}",
            keep_days=int(cluster["gcloudKeepDays"]),
            run_prefix=f"{RELEASE}-workers-",
        )

    def _check_workload_identity(self) -> None:
        """Raise InputError for a cluster whose pods cannot be a Google account."""
        if ((self._describe() or {}).get("workloadIdentityConfig") or {}).get("workloadPool"):
            return
        cluster = self._of_cluster
        at = f"--location {cluster.location} --project {cluster.project}"
        update = f"gcloud container clusters update {cluster.name} {at} --workload-pool {cluster.project}.svc.id.goog"
        raise InputError(
            f"the cluster {cluster.name} has no workload identity, by which the publisher writes into the bucket; run: "
            f"{update}, and update its node pools (--workload-metadata GKE_METADATA); or do without: "
            "--gcloud-bucket none"
        )

    def _publishes_as(self, email: str) -> bool:
        """Return whether the publisher's Kubernetes service account is that Google account already."""
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{PUBLISHER}"
        try:
            found = self._client().get(path) or {}
        except KubernetesError as error:
            raise InputError(f"the cluster refuses: {error.reason}") from None
        return bool((found.get("metadata", {}).get("annotations") or {}).get(IDENTITY) == email)


def _check_programs() -> None:
    """Raise InputError where gcloud, or the program by which a kubeconfig logs in, is not found."""
    check_installed("gcloud", "https://cloud.google.com/sdk/docs/install")
    check_installed(_PLUGIN, _HOW)
