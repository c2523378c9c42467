"""Which variables are known, and what is said of another."""

import re

import pytest

from bot.settings.variables import misspelt, variables
from tests.support.environment import REPOSITORY


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("DPPCTL_REGISTRY_AUTHFILE", "DPPCTL_REGISTRY_AUTH_FILE"),
        ("DPPCTL_WEBHOOK_SECRET", "DPPCTL_WEBHOOK_SECRETS"),
        ("DPPCTL_SOMETHING_ELSE_ALTOGETHER", None),
    ],
)
def test_a_variable_that_means_nothing_is_found_with_the_nearest_known_name(name: str, nearest: str | None) -> None:
    assert misspelt([name, "DPPCTL_PORT", "PATH"]) == {name: nearest}


def test_variables_of_other_parts_are_known() -> None:
    assert misspelt(["DPPCTL_DATA_DIR", "DPPCTL_KEEP", "DPPCTL_TEST_KUBECONFIG", "DPPCTL_REQUIRE_ALL"]) == {}


def test_every_variable_that_the_product_names_is_known() -> None:
    folders = ("bot", "cli", "cluster", "webhooks", "worker", "charts", "images")
    files = [file for folder in folders for file in (REPOSITORY / folder).rglob("*.*") if file.suffix != ".pyc"]
    names = {name for file in files for name in re.findall(r"\bDPPCTL_[A-Z_]*[A-Z]\b", file.read_text())}
    assert len(names) > len(variables())
    assert misspelt(names) == {}
