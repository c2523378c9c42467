"""Why a deployment failed, as people read it: the user's own line first, with its source, the rest folded. Pure.

And what somebody accepted, though it was not as expected.
"""

import re
from dataclasses import dataclass

from bot.model.receipt import ErrorLocation, PipelineResult, Receipt

# What these say is in their message; the name of others, such as KeyError, is half of it.
_PLAIN = re.compile(r"(?:ValueError|TypeError|RuntimeError|AssertionError|Exception): (?=\S)")


@dataclass(frozen=True)
class NumberedLine:
    """A line of a source file; is_it: the one that failed."""

    number: int
    text: str
    is_it: bool


@dataclass(frozen=True)
class PipelineFailure:
    """A pipeline that failed: in a line, and at which line of the user's."""

    pipeline: str
    headline: str
    place: ErrorLocation | None = None
    source: tuple[NumberedLine, ...] = ()


@dataclass(frozen=True)
class DeploymentFailure:
    """Why a deployment failed.

    pipelines: those that did, by the receipt. lines: what else people should read, such as what is not as expected.
    folded: all that was reported, when that is more.
    """

    pipelines: tuple[PipelineFailure, ...]
    lines: tuple[str, ...]
    folded: str = ""


@dataclass(frozen=True)
class AcceptedChange:
    """Data that somebody took as it is. who: and why; unmet: what was expected of it, a line each."""

    who: str
    unmet: tuple[str, ...]


_ACCEPTED = "; accepted by "


def accepted_in(message: str) -> AcceptedChange | None:
    """Return what a message of sync's about a success says that was accepted; None: nothing."""
    _, found, rest = message.partition(_ACCEPTED)
    who, is_unmet, unmet = rest.partition(", though ")
    if not found or not is_unmet:
        return None
    return AcceptedChange(who, tuple(line for line in unmet.split("\n") if line.strip()))


def failure_of(error: str, receipt: Receipt | None, most_lines: int) -> DeploymentFailure:
    """Return what a deployment's error means; at most so many lines of it stand there unfolded."""
    failed = [found for found in receipt.pipelines if found.status != "succeeded"] if receipt else []
    pipelines = tuple(_of_pipeline(found) for found in failed if found.error)
    head = error.split("\n")
    if pipelines:  # the first line names them again; details begin with a pipeline's id and a colon
        ids = {f"{found.id}:" for found in failed}
        end = next((number for number, line in enumerate(head) if number and line in ids), len(head))
        shown = [line for line in head[1:end] if line.strip()]
    else:
        shown = [line for line in head if line.strip()]
    lines = tuple(shown[:most_lines])
    is_all = len(lines) == len(shown) and not (pipelines and (len(head) > 1 + len(shown) or _says_more(pipelines)))
    return DeploymentFailure(pipelines, lines, "" if is_all else error)


def _of_pipeline(found: PipelineResult) -> PipelineFailure:
    first = (found.error or "").partition("\n")[0]
    place = found.place
    if place is None or not first.startswith(f"{place.file}:{place.line}: "):
        return PipelineFailure(found.id, first)
    cause = first.removeprefix(f"{place.file}:{place.line}: ")
    owner = f" in {place.processor}" if place.processor else ""
    headline = f"{place.file}:{place.line}{owner}: {_PLAIN.sub('', cause, count=1) if _PLAIN.match(cause) else cause}"
    lines = enumerate(place.source.lines, place.source.first) if place.source else ()
    source = tuple(NumberedLine(number, text, number == place.line) for number, text in lines)
    return PipelineFailure(found.id, headline, place, source)


def _says_more(pipelines: tuple[PipelineFailure, ...]) -> bool:
    return any(found.place for found in pipelines)
