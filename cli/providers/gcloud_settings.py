"""The settings of a GKE cluster: which it is, and how a new one is made."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cli.errors import InputError
from cli.providers.gcloud_cli import run_gcloud

if TYPE_CHECKING:
    from cli.init.prompts import Questions

LABEL, MADE = "made-by", "dppctl-init"  # of a cluster that init made, and so may remove
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?")
_ZONE = re.compile(r"[a-z]+-[a-z]+\d+-[a-z]")
_LOCATION = re.compile(r"[a-z]+-[a-z]+\d+(-[a-z])?")
_PROJECT = re.compile(r"[a-z][-a-z0-9]{4,28}[a-z0-9]")
_MACHINE = re.compile(r"[a-z][a-z0-9-]{1,60}")
_OWN = ("gcloudProjectId", "gcloudZone", "gcloudLocation", "gcloudClusterName")
_DEFAULTS = {
    "gcloudClusterName": "dppctl",
    "gcloudMode": "standard",
    "gcloudMachineType": "e2-standard-2",
    "gcloudMaxNodes": "3",
    "gcloudKeepDays": "0",
}


class GcloudSettings:
    """Settings by key; project and location are known once they were completed."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = _DEFAULTS | {key: value for key, value in given.items() if value}

    def __getitem__(self, key: str) -> str:
        return self._given.get(key, "")

    @property
    def project(self) -> str:
        """Return the project's ID."""
        return self["gcloudProjectId"]

    @property
    def location(self) -> str:
        """Return the zone or region; "": it is not known yet."""
        return self["gcloudZone"] or self["gcloudLocation"]

    @property
    def name(self) -> str:
        """Return the cluster's name."""
        return self["gcloudClusterName"]

    @property
    def namespace(self) -> str:
        """Return the namespace of dppctl's servers."""
        return self["gcloudClusterNamespace"] or "dppctl"

    @property
    def is_autopilot(self) -> bool:
        """Return whether a new cluster is one of Autopilot."""
        return self["gcloudMode"] == "autopilot"

    def to_keep(self) -> dict[str, str]:
        """Return them as `.dppctl.yaml` has them, without what is as everywhere."""
        more = sorted(key for key, value in self._given.items() if value != _DEFAULTS.get(key) and key not in _OWN)
        found = {key: self[key] for key in (*_OWN, *more) if self[key]}
        return found | {"gcloudClusterNamespace": self.namespace}

    def complete(self, questions: "Questions | None" = None) -> None:
        """Take project and location from gcloud's configuration where they are missing, or ask for them.

        Raises InputError for what is missing and for what cannot be.
        """
        if not (self.project and self.location):
            found = json.loads(run_gcloud("config", "list", "--format=json") or "{}")
            compute = found.get("compute", {})
            place = compute.get("zone") or compute.get("region") or ""
            known = {"gcloudProjectId": found.get("core", {}).get("project") or "", "gcloudLocation": place}
            for key, is_known, question, flag in (
                ("gcloudProjectId", bool(self.project), "Google Cloud project ID", "--gcloud-project"),
                ("gcloudLocation", bool(self.location), "Zone or region of the cluster", "--gcloud-location"),
            ):
                if is_known:
                    continue
                if not known[key] and questions is None:
                    raise InputError(f"neither {key} nor gcloud's configuration says it; give {flag}")
                self._given[key] = known[key] or (questions.text(question, flag) if questions else "")
        self._check()

    def cost(self) -> str:
        """Return a line about what a new cluster costs, and by what; prices stand on Google's own pages alone."""
        what = "GKE Autopilot bills what the pods ask for, those that wait too"
        if not self.is_autopilot:
            nodes = f"up to {self['gcloudMaxNodes']} nodes {self['gcloudMachineType']}"
            zones = "" if _ZONE.fullmatch(self.location) else " in each zone of the region"
            what = f"GKE bills a fee for the cluster and {nodes}{zones}, with their disks"
        return (
            f"A new GKE cluster {self.name} in {self.location} of the project {self.project} costs money as long as it "
            f"is there: {what}; volumes, traffic and the public bucket by use. Prices: "
            "https://cloud.google.com/kubernetes-engine/pricing and https://cloud.google.com/storage/pricing"
        )

    def creation(self) -> list[str]:
        """Return gcloud's command that begins to make the cluster."""
        common = [self.name, f"--location={self.location}", f"--labels={LABEL}={MADE}", "--async"]
        if self.is_autopilot:
            return ["container", "clusters", "create-auto", *common]
        return [
            *("container", "clusters", "create", *common, f"--machine-type={self['gcloudMachineType']}"),
            *("--num-nodes=1", "--enable-autoscaling", "--min-nodes=0", f"--max-nodes={self['gcloudMaxNodes']}"),
            f"--workload-pool={self.project}.svc.id.goog",
            "--enable-dataplane-v2",  # NetworkPolicies hold
        ]

    def _check(self) -> None:
        zone, place = self["gcloudZone"], self["gcloudLocation"]
        if zone and place and zone != place:
            raise InputError(f"gcloudZone {zone} and gcloudLocation {place} are two places; give one of them")
        for key, text, pattern, what in (
            ("gcloudProjectId", self.project, _PROJECT, "the ID of a project (gcloud projects list)"),
            ("gcloudLocation", self.location, _LOCATION, "a zone or a region, such as us-central1-a"),
            ("gcloudClusterName", self.name, _NAME, "small letters, digits and -, at most 40"),
            ("gcloudMode", self["gcloudMode"], re.compile("standard|autopilot"), "standard or autopilot"),
            ("gcloudMachineType", self["gcloudMachineType"], _MACHINE, "a machine type, such as e2-standard-2"),
            ("gcloudMaxNodes", self["gcloudMaxNodes"], re.compile(r"[1-9]\d{0,3}"), "a number from 1 on"),
            ("gcloudKeepDays", self["gcloudKeepDays"], re.compile(r"\d{1,4}"), "a number of days; 0: for ever"),
        ):
            if not pattern.fullmatch(text):
                raise InputError(f"{key} {text[:100]!r}: {what}")
        if self.is_autopilot and _ZONE.fullmatch(self.location):
            region = self.location.rpartition("-")[0]
            raise InputError(f"{self.location} is a zone, and an Autopilot cluster takes a region, such as {region}")
