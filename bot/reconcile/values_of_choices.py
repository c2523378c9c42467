"""What a choice puts into the values: its pipelines, and what is expected of the data. Pure."""

from bot.data.compared import for_environment
from bot.model.decisions import Choice, Refusal
from bot.model.names import short
from bot.model.pipeline_specs import Specs
from bot.model.values import Pipeline, Source, Values
from bot.reconcile.previews import without_schedules

ALL = "all"


def chosen_pipelines(choice: Choice, specs: Specs | str) -> tuple[Pipeline, ...] | Refusal:
    """Return the pipelines of a choice, as the specs at its commit have them; or why there are none."""

    def refuse(message: str) -> Refusal:
        return Refusal(choice.target.app, choice.target.environment, choice.ref, message)

    if isinstance(specs, str):
        return refuse(specs)
    wanted, where = choice.pipelines, f"{choice.target.app} at {short(choice.ref.name)}"
    known = {pipeline.id: pipeline for pipeline in specs.pipelines}
    if wanted == ALL:
        if specs.generated_by:  # the worker asks dpp for all; named here are those that the clock starts
            return (Pipeline(id=ALL), *(pipeline for pipeline in specs.pipelines if pipeline.schedule))
        return specs.pipelines or refuse(f"{where} has no pipelines; put them into pipeline-spec.yaml")
    ids = [wanted] if isinstance(wanted, str) else list(dict.fromkeys(wanted))
    missing = [name for name in ids if name not in known]
    if missing and not specs.generated_by:
        return refuse(f"{where} has no pipeline {missing[0]}; it has {', '.join(known) or 'none'}")
    return tuple(known.get(name) or Pipeline(id=name) for name in ids)


def values_for(choice: Choice, pipelines: tuple[Pipeline, ...], request: int | None = None) -> Values:
    """Return the values of a choice, without its image; `request`: the number of what a person asked for."""
    app, ref = choice.target.app, choice.ref
    if choice.target.is_preview:
        pipelines = without_schedules(pipelines)
    source = Source(repository=app.repository, path=app.path, ref=ref.name, commit=ref.commit)
    expect = tuple(for_environment(choice.expect, choice.target.environment))
    return Values(image=None, source=source, pipelines=pipelines, request=request, expect=expect)
