"""Adds the resource `countries`: ISO 3166 codes and names. A processor as dpp has always had them."""

from itertools import chain

from datapackage_pipelines.utilities.resources import PROP_STREAMING
from datapackage_pipelines.wrapper import ingest, spew
from tz_tables import read_table

parameters, datapackage, resources = ingest()

datapackage["resources"].append(
    {
        "name": "countries",
        "path": "countries.csv",
        PROP_STREAMING: True,
        "schema": {
            "fields": [{"name": "code", "type": "string"}, {"name": "name", "type": "string"}],
            "primaryKey": ["code"],
        },
    }
)
rows = ({"code": code, "name": name} for code, name in read_table("iso3166.tab"))
spew(datapackage, chain(resources, [rows]))
