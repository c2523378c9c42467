"""What data other environments of an app have now, for those whose data is compared with it."""

from collections.abc import Iterable, Mapping

from bot.data.compared import compared_of
from bot.model.expectations import Expectation
from bot.model.names import RepoPath
from bot.model.receipt import Receipt
from bot.model.values import Compared
from bot.store.store import Store


def observe_data(app: RepoPath, expect: Iterable[Expectation], store: Store) -> Mapping[str, Compared]:
    """Return what the environments have that `comparedWith` of these names, by name, as far as they have any."""
    found = {}
    for environment in {expectation.compared_with for expectation in expect} - {None}:
        if environment and (data := store.history.current(str(app), environment)):
            found[environment] = compared_of(Receipt.model_validate(data.receipt), environment, data.deployment_id)
    return found
