"""What of a receipt later runs are compared with, and the receipt of data that came from several runs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bot.data.found import more
from bot.model.expectations import Expectation
from bot.model.receipt import PipelineResult, Receipt
from bot.model.values import Compared, ComparedField, ComparedResource


def compared_of(receipt: Receipt, environment: str, deployment: int | None = None) -> Compared:
    """Return what is compared with: a receipt's resources, their rows and columns, as far as it lists them."""
    resources = (
        ComparedResource(
            pipeline=pipeline.id,
            name=resource.name,
            rows=resource.rows,
            fields=tuple(ComparedField(name=field.name, type=field.type) for field in resource.fields),
        )
        for pipeline in receipt.pipelines
        for resource in pipeline.resources
    )
    return Compared(environment=environment, deployment=deployment, resources=tuple(resources))


def merge(before: Receipt, run: Receipt) -> Receipt:
    """Return the receipt of the data after a run of some pipelines: those that succeeded replace what they made before.

    Those of the earlier receipt keep their order, and new ones follow. A pipeline that did not succeed keeps its entry
    of before, as it says what is there; without one it has none.
    """
    ran = {pipeline.id: pipeline for pipeline in run.pipelines if _is_known(pipeline)}
    kept = [ran.pop(pipeline.id, pipeline) for pipeline in before.pipelines]
    return run.model_copy(update={"status": "succeeded", "pipelines": (*kept, *ran.values())})


def for_environment(expect: Iterable[Expectation], environment: str) -> Iterator[Expectation]:
    """Yield what is expected of an environment; what is compared with that itself is compared with its own past."""
    for found in expect:
        is_own = found.compared_with == environment
        yield found.model_copy(update={"compared_with": None}) if is_own else found


def needed(expect: Sequence[Expectation], known: Mapping[str, Compared]) -> tuple[Compared, ...]:
    """Return of the data of other environments, by their names, what these expectations are compared with, no more."""
    names = dict.fromkeys(found.compared_with for found in expect if found.compared_with in known)
    return tuple(
        known[name].model_copy(
            update={"resources": tuple(_needed(known[name], [one for one in expect if one.compared_with == name]))}
        )
        for name in names
        if name
    )


def _needed(compared: Compared, expect: Sequence[Expectation]) -> Iterator[ComparedResource]:
    for resource in compared.resources:
        about = [found for found in expect if found.is_for(resource.name) or more(resource.name)]
        if any(found.columns for found in about):
            yield resource
        elif about:
            yield resource.model_copy(update={"fields": ()})


def _is_known(pipeline: PipelineResult) -> bool:
    return pipeline.status == "succeeded" and not more(pipeline.id)
