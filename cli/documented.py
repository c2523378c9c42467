"""Commands with examples, and with many options under headings: what `--help` and the man pages are made of."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import click

OPTIONS = "Options"
OTHERS = "Other options"  # that no heading has


class Documented(click.Command):
    """Has lines to type as examples; its options may stand under several headings."""

    def __init__(
        self, *arguments: Any, examples: str = "", headings: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        """Take the examples as lines of a shell, and the flags of each heading in one text: `--cluster --pool`."""
        super().__init__(*arguments, **options)
        self.examples = inspect.cleandoc(examples).splitlines()
        self.headings = headings or {}

    def options_by_heading(self, context: click.Context) -> dict[str, list[click.Option]]:
        """Return the options that help shows, in the order of the headings; those without one are last."""
        others = OTHERS if self.headings else OPTIONS
        of_flag = {flag: heading for heading, flags in self.headings.items() for flag in flags.split()}
        found: dict[str, list[click.Option]] = {heading: [] for heading in (*self.headings, others)}
        for option in self.get_params(context):
            if isinstance(option, click.Option) and option.get_help_record(context):
                found[next((of_flag[flag] for flag in option.opts if flag in of_flag), others)].append(option)
        return {heading: options for heading, options in found.items() if options}

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings."""
        for heading, options in self.options_by_heading(context).items():
            with formatter.section(heading):
                formatter.write_dl([record for option in options if (record := option.get_help_record(context))])

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples last, where a terminal still shows them, unfolded, so that they can be copied."""
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")
        super().format_epilog(context, formatter)


class DocumentedGroup(click.Group, Documented):
    """A group with examples, whose commands have some too."""

    command_class = Documented


def command(name: str | None = None, *, examples: str, **about: Any) -> Callable[[Callable[..., Any]], Documented]:
    """Return a decorator that makes a function a command; `about`: as for `Documented`."""
    return click.command(name, cls=Documented, examples=examples, **about)
