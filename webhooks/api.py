"""The pages as JSON, for programs: who may read the pages may read this, and the shapes are in /api/openapi.json."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Response, request, url_for
from werkzeug.exceptions import NotFound

from bot.model.data_change import DataChange
from bot.model.next_runs import NextRun, next_runs
from bot.store.deployments import EnvironmentSummary
from bot.store.history import ResourceKey
from bot.store.run_tables import EndedRun
from bot.store.store import Store
from bot.store.tables import Deployment, Hold
from webhooks.api_shapes import (
    DeploymentDetail,
    DeploymentEntry,
    DeploymentList,
    DeploymentStep,
    EnvironmentEntry,
    EnvironmentHistory,
    EnvironmentList,
    HoldEntry,
    NextRunEntry,
    ResourceSeries,
    RunEntry,
    SeriesPoint,
)
from webhooks.limits import MAX_API_DEPLOYMENTS, PAGE_DEPLOYMENTS
from webhooks.list_query import read_query
from webhooks.matrix import Matrix
from webhooks.openapi import description

if TYPE_CHECKING:
    from pydantic import BaseModel

_CSV_COLUMNS = ("ended", "deployment", "scheduled", "pipeline", "resource", "status", "rows", "bytes", "seconds")

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class _WrittenEnvironments:
    """The answer of `/api/environments`, and for how long it holds."""

    matrix: Matrix
    script_root: str
    until: datetime  # then a pipeline has run by the clock, and its next run is another
    text: str


class Api:
    """The views for programs."""

    def __init__(
        self,
        store: Store,
        matrix: Callable[[int], Matrix],
        is_registered: Callable[[str, str], bool],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Answer from the store; `matrix`: of `/`, by change number; `is_registered`: if an app has an environment."""
        self._now = now
        self._store, self._matrix, self._is_registered = store, matrix, is_registered
        self._environments: _WrittenEnvironments | None = None

    def openapi(self) -> Response:
        """Return `/api/openapi.json`."""
        return Response(description(), content_type="application/json")

    def deployments(self) -> Response:
        """Return `/api/deployments?app=…&environment=…&state=…&page=…&size=…`. Raises BadRequest."""
        query = read_query(PAGE_DEPLOYMENTS, MAX_API_DEPLOYMENTS)
        found = self._store.lists.page(query.wanted, query.page, query.size)
        more: dict[str, Any] = {**query.arguments(query.page + 1), "size": query.size}
        return _json(
            DeploymentList(
                deployments=tuple(map(_entry, found.deployments)),
                page=query.page,
                size=query.size,
                total=found.total,
                next=url_for("api_deployments", **more) if found.has_next else None,
            )
        )

    def deployment(self, identity: int) -> Response:
        """Return `/api/deployments/ID`. Raises NotFound."""
        found = self._store.deployments.get(identity) if identity < 2**31 else None
        if found is None:
            raise NotFound("there is no such deployment")
        steps = tuple(DeploymentStep.model_validate(event) for event in found.events)
        change = DataChange.model_validate(found.change) if found.change else None
        known = _entry(found).model_dump()
        return _json(
            DeploymentDetail(**known, ops_commit=found.ops_commit, change=change, receipt=found.receipt, steps=steps)
        )

    def environments(self) -> Response:
        """Return `/api/environments`; written once for each change, as all who ask get the same."""
        matrix, now = self._matrix(self._store.totals.change_number()), self._now()
        kept = self._environments
        if kept is None or kept.matrix is not matrix or kept.script_root != request.script_root or now >= kept.until:
            schedules = self._store.schedules.all()
            found: list[EnvironmentEntry] = []
            for row in matrix.rows:
                cells = [row.cells[name] for name in matrix.environments if name in row.cells]
                for state, is_preview in [*((cell, False) for cell in cells), *((one, True) for one in row.previews)]:
                    runs = next_runs(schedules.get((state.app, state.environment), ()), now)
                    found.append(_environment(state, is_preview, runs))
            text = EnvironmentList(environments=tuple(found)).model_dump_json()
            until = min((run.time for entry in found for run in entry.next_runs), default=_NEVER)
            kept = self._environments = _WrittenEnvironments(matrix, request.script_root, until, text)
        return Response(kept.text, content_type="application/json")

    def history(self, app: str, environment: str) -> Response:
        """Return `/apps/APP/ENVIRONMENT/history.json`. Raises NotFound."""
        self._check(app, environment)
        series = self._store.history.series(app, environment)
        return _json(
            EnvironmentHistory(
                app=app,
                environment=environment,
                runs=tuple(map(_run, self._store.history.runs(app, environment))),
                series=tuple(
                    ResourceSeries(
                        pipeline=key.pipeline,
                        resource=key.resource,
                        points=tuple(SeriesPoint.model_validate(point) for point in points),
                    )
                    for key, points in series.items()
                ),
            )
        )

    def history_csv(self, app: str, environment: str) -> Response:
        """Return `/apps/APP/ENVIRONMENT/history.csv`: a line for each run and what it made. Raises NotFound."""
        self._check(app, environment)
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(_CSV_COLUMNS)
        writer.writerows(self._lines(app, environment))
        answer = Response(text.getvalue(), content_type="text/csv; charset=utf-8")
        answer.headers["Content-Disposition"] = 'attachment; filename="history.csv"'
        return answer

    def _lines(self, app: str, environment: str) -> Iterator[tuple[object, ...]]:
        series = self._store.history.series(app, environment)
        found = ((point.run, key, point) for key, points in series.items() for point in points)
        for _, key, point in sorted(found, key=lambda one: (-one[0], one[1])):
            yield (
                point.ended.isoformat(), point.deployment, "yes" if point.is_scheduled else "no", *_cells(key),
                point.status, point.rows, point.bytes, point.seconds,
            )  # fmt: skip

    def _check(self, app: str, environment: str) -> None:
        if not self._is_registered(app, environment):
            raise NotFound("there is no such environment")


def _cells(key: ResourceKey) -> tuple[str, str]:
    """Return the names as cells that no spreadsheet takes for a formula.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    pipeline, resource = (f"'{name}" if name.startswith(_FORMULA) else name for name in (key.pipeline, key.resource))
    return pipeline, resource


def _entry(found: Deployment) -> DeploymentEntry:
    return DeploymentEntry(
        id=found.id,
        url=url_for("deployment", identity=found.id),
        app=found.app,
        environment=found.environment,
        state=found.state,  # type: ignore[arg-type]
        ref=found.ref,
        commit=found.commit,
        subject=found.subject,
        author=found.author,
        gate=found.gate,
        summary=found.summary,
        rows=found.rows,
        error=found.error,
        act=found.act,
        by=found.login or found.by,
        reason=found.reason,
        kept=found.kept,
        created=found.created,
        changed=found.changed,
    )


def _environment(state: EnvironmentSummary, is_preview: bool, runs: Sequence[NextRun]) -> EnvironmentEntry:
    place = {"app": state.app, "environment": state.environment}
    return EnvironmentEntry(
        **place,
        url=url_for("environment", **place),  # type: ignore[arg-type]
        history=url_for("history", **place),  # type: ignore[arg-type]
        is_preview=is_preview,
        running=_entry(state.running) if state.running else None,
        newest=_entry(state.newest) if state.newest else None,
        hold=_hold(state.hold) if state.hold else None,
        next_runs=tuple(map(NextRunEntry.model_validate, runs)),
    )


def _hold(hold: Hold) -> HoldEntry:
    return HoldEntry(reason=hold.reason, since=hold.since, by=hold.login or hold.by, until=hold.until)


def _run(run: EndedRun) -> RunEntry:
    return RunEntry(
        deployment=run.deployment_id,
        is_scheduled=run.is_scheduled,
        status=run.status,  # type: ignore[arg-type]
        ended=run.ended,
        seconds=run.seconds,
        rows=run.rows,
        bytes=run.bytes,
        summary=run.summary,
    )


def _json(answer: "BaseModel") -> Response:
    return Response(answer.model_dump_json(), content_type="application/json")
