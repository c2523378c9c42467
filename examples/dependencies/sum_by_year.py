"""Replaces the rows by one for each year: the year and the sum of its amounts."""

from collections import Counter

from datapackage_pipelines.utilities.resources import PROP_STREAMING
from datapackage_pipelines.wrapper import ingest, spew

parameters, datapackage, resources = ingest()

datapackage["resources"] = [
    {
        "name": "spending-by-year",
        "path": "spending-by-year.csv",
        PROP_STREAMING: True,
        "schema": {"fields": [{"name": "year", "type": "integer"}, {"name": "amount", "type": "integer"}]},
    }
]


def sums(rows):
    years = Counter()
    for row in rows:
        years[row["year"]] += row["amount"]
    for year, amount in sorted(years.items()):
        yield {"year": year, "amount": amount}


spew(datapackage, (sums(rows) for rows in resources))
