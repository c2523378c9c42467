"""What the matrix of apps and environments shows: a row for each app, with its previews folded below. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.model.registration import Target
from bot.store.deployments import EnvironmentSummary
from bot.store.tables import Deployment

PREVIEW = "preview-"  # the names of branches' own environments begin so


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
    targets: Iterable[Target], states: Iterable[EnvironmentSummary], refused: Sequence[Deployment]
) -> Matrix:
    """Return the matrix of what apps.yaml registers; previews are among the `states` as long as they are there.

    `refused`: whole `.dppctl.yaml` files, the newest first.
    """
    registered: dict[str, list[str]] = {}
    for target in sorted(targets):
        registered.setdefault(str(target.app), []).append(target.environment)
    known: dict[str, dict[str, EnvironmentSummary]] = {}
    for state in states:
        known.setdefault(state.app, {})[state.environment] = state
    refusals = {refusal.app: refusal for refusal in reversed(refused)}
    rows = []
    for app, names in registered.items():
        found = known.get(app, {})
        cells = {
            name: found.get(name) or EnvironmentSummary(app, name, None, None, None)
            for name in names
            if not name.startswith(PREVIEW)
        }
        has_previews = any(name.startswith(PREVIEW) for name in names)
        previews = [state for name, state in sorted(found.items()) if name.startswith(PREVIEW)] if has_previews else []
        rows.append(MatrixRow(app, cells, previews, _still_refused(refusals.get(app), found.values())))
    return Matrix(rows, in_order(name for row in rows for name in row.cells))


def in_order(names: Iterable[str]) -> list[str]:
    """Sort environments by name, but production last, as deployments go."""
    return sorted(set(names), key=lambda name: (name.startswith("prod"), name))


def _still_refused(refusal: Deployment | None, states: Iterable[EnvironmentSummary]) -> Deployment | None:
    """Return the refusal unless something had a deployment afterwards: then the file is in order again."""
    newest = max((state.newest.id for state in states if state.newest), default=0)
    return refusal if refusal and refusal.id > newest else None
