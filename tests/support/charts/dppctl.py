"""The chart of dppctl's servers, and values for it."""

from tests.support.environment import REPOSITORY

CHART = REPOSITORY / "charts" / "dppctl"


APPS = [{"appRepoPath": "ann/app", "opsRepoPath": "ann/ops/data", "environments": ["staging", "production"]}]
