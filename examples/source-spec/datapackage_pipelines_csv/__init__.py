"""Turns `csv.source-spec.yaml` into pipelines: dpp takes `Generator` from the package that the file names."""

from datapackage_pipelines.generators import GeneratorBase


class Generator(GeneratorBase):
    @classmethod
    def get_schema(cls):
        file = {"type": "string", "pattern": "^[a-z]+[.]csv$"}
        return {
            "type": "object",
            "required": ["files"],
            "properties": {"files": {"type": "array", "items": file}},
        }

    @classmethod
    def generate_pipeline(cls, source, base):
        for file in source["files"]:
            name = file.removesuffix(".csv")
            steps = [
                {"run": "load", "parameters": {"from": file, "name": name}},
                {"run": "dump.to_path", "parameters": {"out-path": f"data/{name}"}},
            ]
            yield f"{base}/{name}", {"pipeline": steps}
