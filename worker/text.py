"""Events as the lines that a person reads in a pod's log."""

from typing import Any, Dict, Optional


def as_text(event: Dict[str, Any]) -> Optional[str]:
    """Return the line (or lines) to print, without a line break at the end; None for what needs none."""
    kind = event["event"]
    if kind == "queued" and event["runner"].startswith("dpp:"):
        return "{}: run by dpp itself{}".format(event["pipeline"], event["runner"][3:])
    if kind == "started":
        return "{pipeline}: started".format(**event)
    if kind == "progress" and event["rows"]:
        return "{pipeline}: RUNNING, processed {rows} rows".format(**event)
    if kind == "log":
        return "[{pipeline}] >>> {line}".format(**event)
    if kind == "skipped_log":
        return "({lines} lines of the log left out)".format(**event)
    if kind == "finished":
        return _finished(event["result"])
    return None


def _finished(result: Dict[str, Any]) -> str:
    word = {"succeeded": "SUCCESS", "failed": "FAILURE", "stopped": "STOPPED"}[result["status"]]
    line = "{}: {}, processed {} rows".format(result["id"], word, result["rows"])
    if not result["error"]:
        return line
    return "\n    | ".join([line, *result["error"].splitlines()])
