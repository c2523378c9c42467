"""Adds the resources `zones` and `zone_countries`. A flow of dataflows, the newer way to write a step.

The columns of zone1970.tab: country codes, coordinates, name, comments.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

from dataflows import Flow, set_primary_key, set_type, update_resource
from datapackage_pipelines.utilities.resources import PROP_STREAMING
from tz_tables import read_table

# ISO 6709: sign, degrees (2 or 3 digits), minutes, perhaps seconds; latitude, then longitude.
COORDINATES = re.compile(r"([+-])(\d\d)(\d\d)(\d\d)?([+-])(\d{3})(\d\d)(\d\d)?")


def flow(*_):  # dpp calls it with parameters, datapackage, resources, stats
    return Flow(
        zones(),
        update_resource(-1, name="zones", path="zones.csv", **{PROP_STREAMING: True}),
        set_type("name", type="string", resources="zones"),
        set_type("latitude|longitude", type="number", resources="zones"),
        set_type("comments", type="string", resources="zones"),
        set_primary_key(["name"], resources="zones"),
        zone_countries(),
        update_resource(-1, name="zone_countries", path="zone_countries.csv", **{PROP_STREAMING: True}),
        set_primary_key(["zone", "country"], resources="zone_countries"),
    )


def zones() -> Iterator[dict]:
    for _, coordinates, name, *comments in read_table("zone1970.tab"):
        latitude, longitude = degrees(coordinates)
        yield {
            "name": name,
            "latitude": latitude,
            "longitude": longitude,
            "comments": comments[0] if comments else None,
        }


def zone_countries() -> Iterator[dict]:
    for codes, _, name, *_ in read_table("zone1970.tab"):
        for code in codes.split(","):
            yield {"zone": name, "country": code}


def degrees(coordinates: str) -> tuple[Decimal, Decimal]:
    """Return latitude and longitude in degrees: `+4230+00131` is 42.5 north, 1.5167 east."""
    parts = COORDINATES.fullmatch(coordinates).groups(default="0")
    return degree(*parts[:4]), degree(*parts[4:])


def degree(sign: str, degrees: str, minutes: str, seconds: str) -> Decimal:
    value = int(degrees) + Decimal(int(minutes)) / 60 + Decimal(int(seconds)) / 3600
    return round(value if sign == "+" else -value, 4)
