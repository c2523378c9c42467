"""What the usage examples load, and the files of their site, as tests have them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.seed import SITE, file_of
from tests.support.serving import Reply, Request, serving

COMMITTEES = {
    "name": "_",
    "profile": "data-package",
    "resources": [
        {
            "name": "kns_committee",
            "path": "kns_committee.csv",
            "profile": "tabular-data-resource",
            "schema": {"fields": [{"name": "id", "type": "integer"}, {"name": "name", "type": "string"}]},
        }
    ],
}
ROWS = "id,name\n1,Finance\n2,ועדת הכספים\n"


@contextmanager
def serving_committees(host: str = "127.0.0.1") -> Iterator[str]:
    """The URL of the data package that the examples load."""

    def answer(request: Request) -> Reply:
        body = json.dumps(COMMITTEES) if request.path.endswith(".json") else ROWS
        return Reply(200, {}, body.encode())

    with serving(answer, host=host) as address:
        yield f"http://{address}/committees/datapackage.json"


def site_files(url: str) -> dict[str, str]:
    """The files of the example: its first pipeline as it is there, the second one without its mistakes."""
    text = file_of(SITE, "pipeline-spec.yaml")
    first = text.partition("render_list:")[0]
    second = {
        "pipeline": [
            {"run": "load_resource", "parameters": {"url": url, "resource": ".*"}},
            {"run": "render_list"},
        ]
    }
    render = "def render_template(name, values, path):\n    import os\n    os.makedirs('data', exist_ok=True)\n"
    render += "    with open(path, 'w') as file:\n        file.write('<h1>%s</h1>' % values['title'])\n"
    processor = (
        "from datapackage_pipelines.wrapper import ingest, spew\n"
        "import os\n"
        "parameters, datapackage, resources = ingest()\n"
        "rows = [row for resource in resources for row in resource]\n"
        "os.makedirs('data', exist_ok=True)\n"
        "with open('data/list.html', 'w', encoding='utf8') as file:\n"
        "    file.write('<ul>%s</ul>' % ''.join('<li>%s</li>' % row['name'] for row in rows))\n"
        "datapackage['resources'] = []\n"
        "spew(datapackage, [], {})\n"
    )
    return {
        "pipeline-spec.yaml": f"{first}render_list: {json.dumps(second)}\n",
        "template_functions.py": render,
        "render_list.py": processor,
    }
