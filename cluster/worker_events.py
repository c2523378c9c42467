"""What a worker tells of a run (worker/events.py), checked: beside it people's code runs, so it may tell anything."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from bot.errors import PermanentError
from cluster.limits import MAX_TOLD_EVENTS, MAX_TOLD_LINE, MAX_TOLD_NAME

Event = dict[str, Any]
_NO_EVENT = (ValueError, LookupError, TypeError, AttributeError)  # of what has another form
MAX_NUMBER = 2**53 - 1  # up to which every reader of JSON has a whole number as it is
_OURS = ("published", "kept", "not_published")  # which the operator tells, among those of the worker


class WorkerEventError(PermanentError):
    """No worker that works as it should tells that."""


def read_event(line: bytes) -> Event:
    """Return the event that a line is, as it was told. Raises WorkerEventError."""
    try:
        event = json.loads(line)
        if not isinstance(event, dict) or not isinstance(kind := event.get("event"), str):
            raise TypeError("no event")
        if kind in _OURS:
            raise ValueError("it is not the worker's to tell")
        _number(event.get("number", 0))
        if kind in _SHAPES:
            _SHAPES[kind](event)
    except (*_NO_EVENT, RecursionError):
        shown = ascii(line[:100].decode(errors="replace"))
        raise WorkerEventError(f"the worker tells what no worker tells: {shown}") from None
    return event


def in_short(event: Mapping[str, Any]) -> Event:
    """Return of an event what people are shown on the way, in a few thousand characters; empty: nothing of it."""
    try:
        return {"event": event["event"], **_SHOWN[event["event"]](event)}
    except _NO_EVENT:
        return {}


def _progress(event: Mapping[str, Any]) -> Event:
    return {"pipeline": _name(event["pipeline"]), "rows": _number(event["rows"])}


def _finished(event: Mapping[str, Any]) -> Event:
    return {"result": _result(event["result"])}


def _log(event: Mapping[str, Any]) -> Event:
    return {"pipeline": _name(event["pipeline"]), "line": _text(event["line"])[:MAX_TOLD_LINE]}


def _skipped(event: Mapping[str, Any]) -> Event:
    return {"lines": _number(event["lines"])}


def _invalid(event: Mapping[str, Any]) -> Event:
    errors = event["errors"][:MAX_TOLD_EVENTS]
    return {"errors": [{name: _text(error[name])[:MAX_TOLD_LINE] for name in ("where", "message")} for error in errors]}


def _ended(event: Mapping[str, Any]) -> Event:
    receipt = event["receipt"]
    return {"receipt": {"status": _name(receipt["status"]), "pipelines": [*map(_result, receipt["pipelines"])]}}


_SHOWN: dict[str, Callable[[Mapping[str, Any]], Event]] = {
    "progress": _progress,
    "finished": _finished,
    "log": _log,
    "skipped_log": _skipped,
    "invalid": _invalid,
}
_SHAPES = {**_SHOWN, "ended": _ended}


def _result(given: Mapping[str, Any]) -> Event:
    error = given.get("error")
    return {
        "id": _name(given["id"]),
        "status": _name(given["status"]),
        "rows": _number(given.get("rows") or 0),
        "error": None if error is None else _text(error)[:MAX_TOLD_LINE],
    }


def _name(given: object) -> str:
    if not isinstance(given, str) or len(given) > MAX_TOLD_NAME:
        raise TypeError("no name")
    return given


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise TypeError("no text")
    return given


def _number(given: object) -> int:
    if not isinstance(given, int) or not 0 <= given <= MAX_NUMBER:
        raise TypeError("no number")
    return given
