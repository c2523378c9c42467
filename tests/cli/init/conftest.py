"""GitHub, for all tests of `dppctl init`."""

from tests.github.conftest import forge, github

__all__ = ["forge", "github"]
