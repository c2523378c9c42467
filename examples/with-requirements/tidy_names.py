"""Names every column the way SQL likes it: `fiscalYear` and `Fiscal Year` become `fiscal_year`."""

import inflection
from datapackage_pipelines.wrapper import ingest, spew

parameters, datapackage, resources = ingest()


def tidy(name):
    return inflection.parameterize(inflection.underscore(name), separator="_")


for resource in datapackage["resources"]:
    for field in resource["schema"]["fields"]:
        field["name"] = tidy(field["name"])


def tidy_rows(rows):
    for row in rows:
        yield {tidy(name): value for name, value in row.items()}


spew(datapackage, (tidy_rows(rows) for rows in resources))
