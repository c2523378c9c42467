"""Kubernetes' own schemas, of many versions, as kubernetes-validate has them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from kubernetes_validate import utils

VERSIONS = [f"1.{minor}" for minor in range(25, 38)]

# It reads all definitions of a version, a megabyte, for each object. Those of the version at hand are enough to keep.
utils.schema_contents = lru_cache(maxsize=32)(utils.schema_contents)


def validate(objects: Sequence[dict[str, Any]], versions: Sequence[str] = VERSIONS) -> None:
    """Raises ValidationError when an object is not as Kubernetes' API has it; an unknown field is an error."""
    for version in versions:
        for one in objects:
            utils.validate(one, version, strict=True)
