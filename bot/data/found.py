"""What came out of a run, in one form for all that is compared: of receipts, and of what values files hold of them.

Of a long list a receipt has the first entries, and one in the place of the others (`7 more`); that is no resource and
no column, and is taken apart here.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bot.model.file_names import CONFIG_FILE
from bot.model.names import RepoPath
from bot.model.receipt import FieldResult, Receipt, ResourceResult, UniqueResult
from bot.model.values import Compared, ComparedField, ComparedResource

_Entry = TypeVar("_Entry", ResourceResult, ComparedResource)
_MORE = re.compile(r"([0-9][0-9,]{0,12}) more")


@dataclass(frozen=True)
class FoundResource:
    """A resource that a run made.

    rows: None where they were not counted. nulls: by column, None where they were not counted. unlisted: columns that
    are not listed. hash: of all rows of its pipeline.
    """

    pipeline: str
    name: str
    rows: int | None
    types: dict[str, str]
    nulls: dict[str, int | None]
    unique: tuple[UniqueResult, ...] = ()
    unlisted: int = 0
    hash: str | None = None


@dataclass(frozen=True)
class FoundData:
    """All resources of a run, or of what stands for it.

    rows: of all together; unlisted: those that are not listed; config_file: the app's, within its repository.
    """

    resources: tuple[FoundResource, ...]
    rows: int
    unlisted: int = 0
    config_file: str = CONFIG_FILE


Pair = tuple[FoundResource | None, FoundResource | None]


def found_data(of: Receipt | Compared) -> FoundData:
    """Return what a receipt, or what a values file holds of one, says that there is."""
    if isinstance(of, Compared):
        compared, unlisted = _listed(of.resources)
        resources = tuple(_found(resource.pipeline, resource) for resource in compared)
        return FoundData(resources, sum(resource.rows or 0 for resource in resources), unlisted)
    found, rows, unlisted = tuple[FoundResource, ...](), 0, 0
    for pipeline in of.pipelines:
        listed, more = _listed(pipeline.resources)
        resources = tuple(_found(pipeline.id, resource, pipeline.hash) for resource in listed)
        counted = [resource.rows for resource in resources if resource.rows is not None]
        rows += sum(counted) if counted and not more else (pipeline.rows or 0)
        found, unlisted = (*found, *resources), unlisted + more
    return FoundData(found, rows, unlisted, _config_file(of))


def pairs(before: FoundData, after: FoundData) -> list[Pair]:
    """Return each resource before and after: those of the newer in their order, then those that are gone.

    They belong together by pipeline and name; what is left of one name, once on each side, by its name, as a pipeline
    may have another name now.
    """
    old = dict(_keyed(before))
    new = dict(_keyed(after))
    gone, added = [key for key in old if key not in new], [key for key in new if key not in old]
    gone_names, added_names = Counter(key[1] for key in gone), Counter(key[1] for key in added)
    moved = {key[1]: key for key in gone if gone_names[key[1]] == added_names[key[1]] == 1}
    partners = {key: moved[key[1]] for key in added if key[1] in moved}
    taken = set(partners.values())
    found: list[Pair] = [(old.get(partners.get(key, key)), resource) for key, resource in new.items()]
    return [*found, *((old[key], None) for key in gone if key not in taken)]


def more(name: str) -> int:
    """Return for how many entries an entry of this name stands; 0: for none but itself."""
    found = _MORE.fullmatch(name)
    return int(found[1].replace(",", "")) if found else 0


def _config_file(receipt: Receipt) -> str:
    source = receipt.source
    return RepoPath(source.repository, source.path).file(CONFIG_FILE) if source else CONFIG_FILE


def _keyed(data: FoundData) -> Iterator[tuple[tuple[str, str, int], FoundResource]]:
    seen: Counter[tuple[str, str]] = Counter()
    for resource in data.resources:
        place = (resource.pipeline, resource.name)
        yield (*place, seen[place]), resource
        seen[place] += 1


def _listed(entries: Sequence[_Entry]) -> tuple[list[_Entry], int]:
    """Return the resources that are listed, and how many are not."""
    stand_in = [entry for entry in entries if entry.rows is None and not entry.fields and more(entry.name)]
    return [entry for entry in entries if entry not in stand_in], sum(more(entry.name) for entry in stand_in)


def _found(pipeline: str, resource: ResourceResult | ComparedResource, digest: str | None = None) -> FoundResource:
    fields: Sequence[FieldResult | ComparedField] = resource.fields
    unlisted = more(fields[-1].name) if fields and not fields[-1].type else 0
    listed = fields[:-1] if unlisted else fields
    return FoundResource(
        pipeline=pipeline,
        name=resource.name,
        rows=resource.rows,
        types={field.name: field.type for field in listed},
        nulls={field.name: field.nulls if isinstance(field, FieldResult) else None for field in listed},
        unique=resource.unique if isinstance(resource, ResourceResult) else (),
        unlisted=unlisted,
        hash=digest,
    )
