"""Stops the pipeline when the amounts do not add up to the parameter `total`."""

from datapackage_pipelines.wrapper import ingest, spew

parameters, datapackage, resources = ingest()


def check(rows):
    found = 0
    for row in rows:
        found += row["amount"]
        yield row
    if found != parameters["total"]:
        raise ValueError(f"the amounts add up to {found}, not to {parameters['total']}")


spew(datapackage, (check(rows) for rows in resources))
