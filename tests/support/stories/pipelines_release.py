"""A release of the chart dppctl-pipelines on a real cluster: what is deployed, and how its runs ended."""

import json
from typing import Any

from bot.model.values import Pipeline, Source, Values
from tests.support.cluster import CODE, POLL, SECONDS, Namespace, selected
from tests.support.waiting import eventually

SOURCE = Source(repository="ann/app", path="", ref="refs/heads/main", commit="1" * 40)


def app(*sinks: dict[str, Any], rows: int = 5) -> dict[str, str]:
    """The files of an app whose pipeline makes so many rows."""
    code = CODE.replace("range(5)", f"range({rows})")
    return {"pipeline-spec.yaml": json.dumps({"load": {"pipeline": [{"run": "rows", "code": code}, *sinks]}})}


def bot(image: str, **changed: Any) -> dict[str, Any]:
    values = Values(image=image, source=SOURCE, pipelines=(Pipeline(id="./load", schedule="0 6 * * *"),))
    content = values.model_copy(update=changed).model_dump(mode="json")
    return {name: value for name, value in content.items() if name != "request" or value}


def ended(namespace: Namespace, count: int = 1) -> list[Any]:
    """The release's Jobs, when there are so many and all of them ended: name, how, the pipelines' last state."""

    def all_ended() -> list[Any] | None:
        jobs = namespace.get("jobs", selected("app", "job"))
        conditions = [{one["type"] for one in job["status"].get("conditions", [])} for job in jobs]
        return jobs if len(jobs) == count and all(one & {"Complete", "Failed"} for one in conditions) else None

    try:
        return eventually(all_ended, f"{count} Jobs ended", SECONDS, POLL)
    except BaseException:
        print(namespace.describe())
        raise


def last_states(namespace: Namespace) -> dict[str, Any]:
    """How each container of the newest run ended."""
    pod = namespace.get("pods", selected("app", "job"))[-1]["status"]
    states = [*pod.get("initContainerStatuses", []), *pod["containerStatuses"]]
    return {one["name"]: one["state"].get("terminated", {}) for one in states}


def query(namespace: Namespace, sql: str, release: str = "app", database: str = "pipelines") -> str:
    """What a database of a release says, by default the current one."""
    url = f"postgresql://pipelines@127.0.0.1/{database}"
    command = f'PGPASSWORD="$POSTGRES_PASSWORD" psql --tuples-only --no-align {url} --command="{sql}"'
    return namespace.kubectl("exec", f"{release}-database-0", "--", "sh", "-c", command).strip()
