"""The comment on a pull request: what the branch's data has that the other environment's has not. Pure.

Names of tables and columns are strangers' text: they stand in `<code>`, where GitHub neither mentions nor links, with
each mark of Markdown and HTML as a number.
"""

import re
from collections.abc import Iterator, Sequence

from bot.limits import MAX_COMMENT_ERROR, MAX_COMMENT_NAMES, MAX_COMMENT_ROWS
from bot.model.data_change import DataChange, ResourceChange
from bot.model.failures import NumberedLine, failure_of
from bot.model.names import short
from bot.model.receipt import Receipt
from bot.output import one_line
from bot.store.preview_tables import Preview
from bot.store.tables import Deployment

_NAME = 100  # characters
_MARK = re.compile(r"[!-/:-@\[-`{-~]")  # https://spec.commonmark.org/0.31.2/#ascii-punctuation-character
_TOLD = ("succeeded", "failed", "refused")


def marker(preview: Preview) -> str:
    """Return what a preview's comment begins with, which nobody sees: it is found again by that."""
    return f"<!-- dppctl preview {preview.app} {preview.environment} -->"


def newest_told(deployments: Sequence[Deployment]) -> Deployment | None:
    """Return the deployment that the comment is about: the newest that ended, of those given, the newest first."""
    return next((found for found in deployments if found.state in _TOLD), None)


def comment(preview: Preview, deployment: Deployment, page: str | None) -> str:
    """Return the comment's text; `page`: the deployment's address."""
    where = f"branch {_code(short(deployment.ref))} at {deployment.commit[:12]}"
    lines = [marker(preview), f"{_heading(deployment, preview)} ({where})", ""]
    if deployment.state == "succeeded" and deployment.change:
        lines += [*_table(DataChange.model_validate(deployment.change), preview.compared or "before"), ""]
    elif deployment.state != "succeeded":
        lines += [*_failure(deployment), ""]
    return "\n".join([*lines, _where(preview, deployment, page)])


def gone_comment(preview: Preview, deployment: Deployment | None, page: str | None) -> str:
    """Return the text once the preview is gone; the deployment: its last one that ended, `page` its address."""
    why = f": {_code(preview.reason, 300)}" if preview.reason else ""
    lines = [marker(preview), f"**This preview is gone**, with its data{why}", ""]
    return "\n".join([*lines, _where(preview, deployment, page)])


def _where(preview: Preview, deployment: Deployment | None, page: str | None) -> str:
    app = f"{_code(preview.app)} in {_code(preview.environment)}"
    if deployment is None:
        return app
    return f"{app}, [deployment {deployment.id}]({page})" if page else f"{app}, deployment {deployment.id}"


def _failure(deployment: Deployment) -> Iterator[str]:
    """Yield why it failed: of each pipeline the user's own line with its source, or all that was reported."""
    error = deployment.error or "it failed"
    receipt = Receipt.model_validate(deployment.receipt) if deployment.receipt else None
    failure = failure_of(error, receipt, MAX_COMMENT_NAMES)
    if deployment.state != "failed" or not any(found.source for found in failure.pipelines):
        yield _fenced(error[:MAX_COMMENT_ERROR])
        return
    for found in failure.pipelines[:MAX_COMMENT_NAMES]:
        yield _fenced("\n".join([found.headline, *(_source_line(line) for line in found.source)]))
    if (more := len(failure.pipelines) - MAX_COMMENT_NAMES) > 0:
        yield f"and {more:,} more pipelines"
    if failure.lines:
        yield _fenced("\n".join(failure.lines))


def _source_line(line: NumberedLine) -> str:
    return f"{'>' if line.is_it else ' '} {line.number:>4}  {line.text}"


def _heading(deployment: Deployment, preview: Preview) -> str:
    if deployment.state == "refused":
        return "**Not deployed**"
    if deployment.state == "failed":
        return "**Failed**; the preview's data stays as it was"
    if not deployment.change:
        return "**Succeeded**"
    change = DataChange.model_validate(deployment.change)
    if change.before is None or change.rows_before is None:
        return f"**{_rows(change.rows)}**; {_code(preview.compared or '')} has no data yet"
    return f"**{_rows(change.rows)}** ({_difference(change.rows_before, change.rows)})"


def _table(change: DataChange, other: str) -> Iterator[str]:
    yield f"| resource | {_code(other)} | this branch | |"
    yield "|---|---:|---:|---|"
    for resource in change.resources[:MAX_COMMENT_ROWS]:
        words = "; ".join(_words(resource))
        yield f"| {_code(resource.name)} | {_number(resource.before)} | {_number(resource.after)} | {words} |"
    if (more := len(change.resources) - MAX_COMMENT_ROWS) > 0:
        yield f"| {more:,} more | | | |"
    if change.notes:
        yield ""
        yield from (f"- {_code(note, 300)}" for note in change.notes[:MAX_COMMENT_NAMES])


def _words(resource: ResourceChange) -> Iterator[str]:
    if resource.is_gone:
        yield "gone"
        return
    if resource.is_new:
        yield "new"
        return
    if resource.before is not None and resource.after is not None and resource.before != resource.after:
        yield _difference(resource.before, resource.after)
    yield from _named("new column", resource.added)
    yield from _named("column gone:", resource.removed)
    yield from _named("another type:", [f"{found.name} {found.before} to {found.after}" for found in resource.retyped])
    yield from _named(
        "fewer values:", [f"{found.name} ({found.after - found.before:,} rows)" for found in resource.nulls]
    )
    if resource.is_same:
        yield "the same rows"


def _named(what: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        more = len(names) - MAX_COMMENT_NAMES
        rest = f" and {more:,} more" if more > 0 else ""
        yield f"{what} {', '.join(_code(name) for name in names[:MAX_COMMENT_NAMES])}{rest}"


def _code(text: str, most: int = _NAME) -> str:
    """Return somebody's text as code, which has a direction of its own (Hebrew in a table of English)."""
    line = one_line(text, most)
    return f'<code dir="auto">{_MARK.sub(lambda found: f"&#{ord(found[0])};", line)}</code>'


def _fenced(text: str) -> str:
    lines = [_printable(line) for line in text.splitlines()]
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}text", *lines, fence])


def _printable(line: str) -> str:
    """Return a line as it is, with its indent, without what is not seen."""
    return "".join(char if char.isprintable() else " " for char in line.expandtabs(4))[:300].rstrip()


def _rows(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def _number(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,}"


def _difference(before: int, after: int) -> str:
    return f"{after - before:+,}" if after != before else "as many as before"
