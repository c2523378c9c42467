"""A page for each row, then one that lists them; the rows pass through, so that they are counted."""

from datapackage_pipelines.wrapper import ingest, spew
from template_functions import render_template

parameters, datapackage, resources = ingest()


def render(rows):
    states = []
    for row in rows:
        states.append(row)
        render_template("list_item.html", {"state": row}, f"data/states/{row['code']}.html")
        yield row
    render_template("list.html", {"states": states}, "data/states/index.html")


spew(datapackage, (render(rows) for rows in resources))
