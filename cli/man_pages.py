"""Manual pages of all commands, made of what `--help` says.

https://man7.org/linux/man-pages/man7/man-pages.7.html has the sections, groff_man(7) the macros.
"""

import re
from collections.abc import Iterator

import click

from cli.documented import OPTIONS, Documented
from cli.lazy import LazyGroup

# What groff would show otherwise than it is typed, and what ends an argument of a macro: groff_char(7).
_ESCAPES = str.maketrans(
    {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}
)


def man_pages(command: click.Command, context: click.Context, version: str) -> Iterator[tuple[str, str]]:
    """Yield the names of a command and of all below it, such as `dppctl-run`, each with its page."""
    name = context.command_path.replace(" ", "-")
    below = {found: _below(command, context, found) for found in _names(command, context)}
    lines = [
        f'.TH "{_text(name.upper())}" 1 "" "dppctl {_text(version)}" "dppctl"',
        ".SH NAME",
        f"{_text(name)} \\- {_text(command.get_short_help_str(200).rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_text(context.command_path)}",
        _text(" ".join(command.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        *_paragraphs(command.help or ""),
        *_options(command, context),
    ]
    for heading, names in _sections(command, below).items():
        lines.append(f'.SH "{_text(heading.upper())}"')
        for found in names:
            text = below[found].command.get_short_help_str(200)
            lines += [".TP", f".BR {_text(f'{name}-{found}')} (1)", _text(text)]
    if isinstance(command, Documented) and command.examples:
        lines += [".SH EXAMPLES", ".EX", *(_line(line) for line in command.examples), ".EE"]
    if context.parent:
        lines += [".SH SEE ALSO", f".BR {_text(context.parent.command_path.replace(' ', '-'))} (1)"]
    yield name, "\n".join(lines) + "\n"
    for inner in below.values():
        yield from man_pages(inner.command, inner, version)


def _names(command: click.Command, context: click.Context) -> list[str]:
    return command.list_commands(context) if isinstance(command, click.Group) else []


def _below(command: click.Command, context: click.Context, name: str) -> click.Context:
    found = command.get_command(context, name) if isinstance(command, click.Group) else None
    assert found, name  # noqa: S101 (the group listed it)
    return click.Context(found, info_name=name, parent=context)


def _sections(command: click.Command, below: dict[str, click.Context]) -> dict[str, list[str]]:
    if isinstance(command, LazyGroup):
        return {heading: names.split() for heading, names in command.sections.items()}
    return {"Commands": list(below)} if below else {}


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    found = command.options_by_heading(context) if isinstance(command, Documented) else {}
    yield ".SH OPTIONS"
    for heading, options in found.items():
        if heading != OPTIONS:
            yield f'.SS "{_text(heading)}"'
        for option in options:
            if record := option.get_help_record(context):
                yield from (".TP", f".B {_text(record[0])}", _line(record[1]))


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        yield ".PP"
        yield _line(" ".join(paragraph.split()))


def _line(text: str) -> str:
    """Return a text as a line of its own, which is no request whatever it begins with."""
    return f"\\&{_text(text)}" if text.startswith((".", "'")) else _text(text)


def _text(text: str) -> str:
    """Return what shows as this text, with hyphens and quotes that can be typed as they are read."""
    return text.translate(_ESCAPES)
