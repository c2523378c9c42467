"""`dppctl list pipelines`: what an app's folder has to run, read from its specs without running anything."""

from pathlib import Path

import click

from cli.config_option import servers_folder
from cli.documented import command
from cli.errors import InputError
from cli.listing import OUTPUT_OPTION, show
from cli.output_options import note


@command(
    examples="""
    dppctl list pipelines                       # of this folder
    dppctl list pipelines pipelines -o name     # the ids, a line each
    """,
)
@click.argument("folder", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@OUTPUT_OPTION
def pipelines(folder: Path, output: str | None) -> None:
    """List the pipelines of FOLDER (an app's; left out: this one): ids, schedules, files.

    Those that a *.source-spec.yaml generates are known only when they run.
    """
    from bot.git.command import Git
    from bot.settings import load_settings
    from cli.check.folder import read_folder

    found = read_folder(Git(load_settings(servers_folder(), receives=False), searches=True), folder)
    if found.specs is None:
        raise InputError("; ".join(found.problems))
    rows = [
        {"id": pipeline.id, "schedule": pipeline.schedule, "file": _file(pipeline.id)}
        for pipeline in found.specs.pipelines
    ]
    if found.specs.generated_by:
        note(f"{found.specs.generated_by} makes others, which are known when they run")
    show(
        rows,
        output,
        columns={name: name for name in ("id", "schedule", "file")},
        name=lambda row: row["id"],
        empty="No pipelines here; put them into pipeline-spec.yaml",
    )


def _file(pipeline: str) -> str:
    from bot.model.file_names import SPEC_FILE

    return f"{pipeline.rpartition('/')[0]}/{SPEC_FILE}".removeprefix("./")
