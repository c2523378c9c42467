"""Fills the templates; shared by the inline code of the spec and by render_list.py."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)


def render_template(template: str, values: dict, target: str) -> None:
    page = Path(target)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(templates.get_template(template).render(values), encoding="utf-8")
