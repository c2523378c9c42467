"""Answers of the usage server: models as JSON, reports as JSON and CSV."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from flask import Response, request
from pydantic import BaseModel
from werkzeug.exceptions import BadRequest

from cluster.usage.report import (
    EVENT_COLUMNS,
    RUN_COLUMNS,
    SinceError,
    csv_lines,
    events_since,
    make_report,
    read_since,
)
from cluster.usage.service import UsageService


class BadUsageRequestError(BadRequest):
    """A request is wrong."""


def json_answer(model: BaseModel, status: int = 200) -> Response:
    """Return a model as an answer."""
    return Response(model.model_dump_json(by_alias=True), status, mimetype="application/json")


def asked_since() -> datetime:
    """Return since when the request wants to know. Raises BadUsageRequestError."""
    try:
        return read_since(request.args.get("since", "7d"), datetime.now(UTC))
    except SinceError as error:
        raise BadUsageRequestError(str(error)) from None


def answer_report(service: UsageService, user: str | None, groups: list[str], kind: str) -> Response:
    """Return what a user used (None: all did), or with `what=events` what was done. Raises BadUsageRequestError.

    `kind`: json or csv.
    """
    since, of_events = asked_since(), request.args.get("what") == "events"
    if of_events and kind == "csv":
        return _csv(csv_lines(EVENT_COLUMNS, events_since(service, user, since)), "events")
    if of_events:
        return Response(_json_list(events_since(service, user, since)), mimetype="application/json")
    report = make_report(service, user, groups, since)
    if kind == "csv":
        runs = (run.model_dump(mode="json", by_alias=True) for run in report.runs)
        return _csv(csv_lines(RUN_COLUMNS, runs), "usage")
    return json_answer(report)


def _csv(lines: Iterator[str], name: str) -> Response:
    answer = Response(lines, mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="dppctl-{name}.csv"'
    return answer


def _json_list(rows: Iterable[dict[str, object]]) -> Iterator[str]:
    """Yield `{"events": […]}` piece by piece: there may be very many."""
    yield '{"events": ['
    for number, row in enumerate(rows):
        yield f"{',' if number else ''}\n{json.dumps(row)}"
    yield "\n]}\n"
