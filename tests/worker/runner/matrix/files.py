"""The files that the matrix's pipelines read: awkward values of every type."""

import json
from typing import Any

AWKWARD = (
    "id,name,amount,share,born,at,moment,ok,tags,info,where,span,month,year,note\n"
    '1,"  padded  ",1.50,0.1,2020-02-29,23:59:59,2020-02-29T23:59:59Z,true,"[1, [2, ""x""]]",'
    '"{""b"": 1, ""a"": [null]}","32.1, 34.8",P1DT2H,2020-02,2020,NA\n'
    '2,"שלום, ""עולם""",-0.00,NaN,0001-01-01,00:00:00,0001-01-01T00:00:00Z,false,[],{},'
    '"-180, -90",PT0S,0001-01,0001,\n'
    '3,"two\nlines",123456789012345678901234567890.123,INF,9999-12-31,12:30:00,1969-12-31T23:59:58Z,true,'
    '"[{""x"": 1.0}]","{""type{x}"": ""2020-01-01""}","0, 0",P1Y2M,1999-12,1999,-\n'
    "4,,,,,,,,,,,,,,\n"
    '5,"tab\there 🗳️ é",1e10,1e-7,1582-10-15,01:02:03,2024-12-31T00:00:01Z,false,"[""a"", true, null]",'
    '"{""n"": {""m"": 1.5}}","1.25, 2.5",P3W,2000-01,2000,x\n'
)
WORDS = (
    'id,name,born,ratio,note\n1,"  padded  ",2020-02-29,1.50,NA\n2,"שלום, ""עולם""",0001-01-01,NaN,\n'
    '3,"two\nlines",9999-12-31,123456789012345678901234567890.123,-\n4,,,,\n5,"tab\there 🗳️ é",1582-10-15,1e10,x\n'
)
TYPES: dict[str, Any] = {
    "id": {"type": "integer"},
    "name": {"type": "string"},
    "amount": {"type": "number"},
    "share": {"type": "number"},
    "born": {"type": "date"},
    "at": {"type": "time"},
    "moment": {"type": "datetime"},
    "ok": {"type": "boolean"},
    "tags": {"type": "array"},
    "info": {"type": "object"},
    "where": {"type": "geopoint"},
    "span": {"type": "duration"},
    "month": {"type": "yearmonth"},
    "year": {"type": "year"},
    "note": {"type": "string"},
}


def _descriptor(schema_fields: list[dict[str, Any]], **more: Any) -> str:
    schema = {"fields": schema_fields, "missingValues": ["", "NA", "-"], **more}
    resources = [
        {
            "name": "awkward",
            "path": "awkward.csv",
            "encoding": "utf-8",
            "profile": "tabular-data-resource",
            "schema": schema,
        },
        {
            "name": "people",
            "path": "people.csv",
            "encoding": "utf-8",
            "profile": "tabular-data-resource",
            "schema": {
                "fields": [
                    {"name": "key", "type": "integer"},
                    {"name": "group", "type": "string"},
                    {"name": "score", "type": "number"},
                ]
            },
        },
    ]
    return json.dumps({"name": "package", "resources": resources})


PEOPLE = "key,group,score\n" + "".join(f"{number * 7 % 31},{'abc'[number % 3]},{number / 4}\n" for number in range(31))
FIELDS = [{"name": name, **options} for name, options in TYPES.items()]
FILES = {
    "package/datapackage.json": _descriptor(FIELDS),
    "package/awkward.csv": AWKWARD,
    "package/people.csv": PEOPLE,
    "keyed/datapackage.json": _descriptor(FIELDS, primaryKey=["id"]),
    "keyed/awkward.csv": AWKWARD,
    "keyed/people.csv": PEOPLE,
    "awkward.csv": AWKWARD,
    "people.csv": PEOPLE,
    "words.csv": WORDS,
    "coded.csv": 'id,info\n1,"{""type{date}"": ""2020-01-01""}"\n',
    "many.csv": "id,word\n" + "".join(f"{number},{number * 7919 % 10007:x}\n" for number in range(11_000)),
    "many-bad.csv": "id,word\n" + "".join(f"{number},x\n" for number in range(8_000)) + "bad,x\n1,x\n",
    "groups.csv": "group,title\na,Alpha\nb,Beta\nd,Delta\n",
    "wide.csv": "city,2018,2019,2020\nHaifa,1,2,\nJaffa,,4,5\n",
    "semicolons.csv": "a;b\n1;x y\n2; z \n",
    "bad-number.csv": "id,amount\n" + "".join(f"{number},{number}.5\n" for number in range(150)) + "150,much\n",
    "bad-date.csv": "id,born\n1,2020-02-30\n",
    "duplicate-headers.csv": "a,a,b\n1,2,3\n",
    "empty.csv": "a,b\n",
    "spaces.csv": " a , b \n 1 , 2 \n\n",
    "page.json": json.dumps([{"a": 1, "b": [1, {"c": "ש"}]}, {"a": None, "b": []}]),
    "lines.txt": "first\nsecond\n\nfourth\n",
    "broken/datapackage.json": json.dumps({"name": "broken", "resources": [{"name": "Bad Name!", "path": 7}]}),
    "rows.py": """
        from dataflows import Flow, update_resource

        def flow(parameters, *_):
            def members():
                for number in range(parameters.get("rows", 3)):
                    yield {"id": number, "name": f"member {number}", "pair": [number, [number]]}
            return Flow(
                members(), update_resource(-1, name="members", path="members.csv", **{"dpp:streaming": True}))
    """,
    "shout.py": """
        import logging
        from datapackage_pipelines.wrapper import process

        def modify(row, index, spec, resource_index, parameters, stats):
            if index == parameters.get("fails-at"):
                raise RuntimeError(f"row {index} of {spec['name']} is too much")
            for name, value in row.items():
                if isinstance(value, str):
                    row[name] = value.upper()
            stats["shouted"] = stats.get("shouted", 0) + 1
            return None if index == parameters.get("drops") else row

        logging.info("shouting")
        process(process_row=modify)
    """,
    # Its lines are not written as dpp writes them; some of the texts are stripped behind it.
    "prints.py": """
        import json, sys
        from datapackage_pipelines.wrapper import ingest
        datapackage = ingest().datapackage
        fields = [{"name": "b", "type": "string"}, {"name": "a", "type": "integer"}, {"name": "day", "type": "date"}]
        datapackage["resources"] = [
            {"name": "r", "path": "r.csv", "dpp:streaming": True, "schema": {"fields": fields}}]
        rows = [
            {"b": f"ש {number} " if number % 3 else None, "a": number, "day": {"type{date}": "2020-01-02"}}
            for number in range(60)
        ]
        lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]
        sys.stdout.write("\\n".join([json.dumps(datapackage), "", *lines, "", "{}", ""]))
        sys.stdout.flush()
    """,
    "tuple.py": """
        from datapackage_pipelines.wrapper import ingest, spew
        parameters, datapackage, resources, stats = ingest() + ({},)
        stats["seen"] = [resource["name"] for resource in datapackage["resources"]]
        spew(datapackage, resources, stats)
    """,
    "quits.py": """
        import sys
        from datapackage_pipelines.wrapper import ingest
        ingest()
        sys.exit(3)
    """,
}
