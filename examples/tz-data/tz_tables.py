"""The tables of the tz database, as the package `tzdata` brings them (https://www.iana.org/time-zones)."""

from collections.abc import Iterator
from importlib.resources import files


def read_table(name: str) -> Iterator[list[str]]:
    """Yield each line of the tab-separated table `name` (say `iso3166.tab`) as its cells, without the comments."""
    for line in files("tzdata.zoneinfo").joinpath(name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line.split("\t")
