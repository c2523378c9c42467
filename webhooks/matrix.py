"""What the matrix of apps and environments shows: a row for each app, with its previews folded below. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.model.registration import Target
from bot.store.deployments import EnvironmentSummary
from bot.store.preview_tables import Preview
from bot.store.tables import Deployment


@dataclass(frozen=True)
class MatrixRow:
    """An app: its environments by name, its previews, and its whole `.dppctl.yaml` when that was refused last."""

    app: str
    cells: Mapping[str, EnvironmentSummary]
    previews: Sequence[EnvironmentSummary]
    refusal: Deployment | None = None


@dataclass(frozen=True)
class Matrix:
    """The rows, and the environments that are columns, in the order that deployments take."""

    rows: Sequence[MatrixRow]
    environments: Sequence[str]


def make_matrix(
    targets: Iterable[Target],
    states: Iterable[EnvironmentSummary],
    refused: Sequence[Deployment],
    previews: Iterable[Preview],
) -> Matrix:
    """Return the matrix of what apps.yaml registers, and of the previews that are there.

    `refused`: whole `.dppctl.yaml` files, the newest first.
    """
    registered: dict[str, list[str]] = {}
    for target in sorted(targets):
        names = registered.setdefault(str(target.app), [])
        if not target.is_pattern:
            names.append(target.environment)
    known: dict[str, dict[str, EnvironmentSummary]] = {}
    for state in states:
        known.setdefault(state.app, {})[state.environment] = state
    branches: dict[str, list[str]] = {}
    for preview in previews:
        branches.setdefault(preview.app, []).append(preview.environment)
    refusals = {refusal.app: refusal for refusal in reversed(refused)}
    rows = []
    for app, names in registered.items():
        found = known.get(app, {})
        cells = {name: _state(found, app, name) for name in names}
        shown = [_state(found, app, name) for name in sorted(branches.get(app, ())) if name not in cells]
        rows.append(MatrixRow(app, cells, shown, _still_refused(refusals.get(app), found.values())))
    return Matrix(rows, in_order(name for row in rows for name in row.cells))


def _state(known: Mapping[str, EnvironmentSummary], app: str, environment: str) -> EnvironmentSummary:
    return known.get(environment) or EnvironmentSummary(app, environment, None, None, None)


def in_order(names: Iterable[str]) -> list[str]:
    """Sort environments by name, but production last, as deployments go."""
    return sorted(set(names), key=lambda name: (name.startswith("prod"), name))


def _still_refused(refusal: Deployment | None, states: Iterable[EnvironmentSummary]) -> Deployment | None:
    """Return the refusal unless something had a deployment afterwards: then the file is in order again."""
    newest = max((state.newest.id for state in states if state.newest), default=0)
    return refusal if refusal and refusal.id > newest else None
