"""YAML from outside, read so that no text can hurt: PyYAML's C loader, as dpp does, behind a look at its events.

Without that look a text of some KB takes the process down (the C loader recurses) or fills the memory (aliases of
aliases, "billion laughs"). Numbers and dates stay the texts that they are written as, for a number to base 60
(`1:1:1:…`) takes minutes, and so do keys that are numbers of one hash; a model makes numbers where it wants them.
"""

from typing import Any

import yaml

from bot.errors import DppctlError
from bot.limits import MAX_YAML_ALIASES, MAX_YAML_DEPTH, MAX_YAML_NODES

_MAX_WORD = 100  # characters of what may be another thing than a text
# What the loader lets through when a scalar is not what it looks like (`-__`, `2001-02-30`, `!!bool x`).
_SCALAR_ERRORS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


class _TextLoader(yaml.CSafeLoader):  # type: ignore[misc]
    """Makes texts, true, false and null of scalars, and nothing else."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        """Return the tag of what has none. A long text is a text: to tell takes 100 MB for a number to base 60."""
        if kind is yaml.ScalarNode and len(value) > _MAX_WORD:
            return self.DEFAULT_SCALAR_TAG
        return super().resolve(kind, value, implicit)


for _kind in ("int", "float", "timestamp", "binary"):
    _TextLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _TextLoader.construct_scalar)


def read_yaml(
    text: str | bytes, where: str, *, doubles_below: bool = False, typed: bool = False, nodes: int = MAX_YAML_NODES
) -> tuple[Any, yaml.Node | None]:
    """Return the value of a text, and the node that knows its lines. Raises DppctlError (`where:line: what`).

    A key that stands twice at the top is refused; with `doubles_below` also one below. `typed`: make numbers and dates
    too, of a text of our own programs'. `nodes`: how many values it may have.
    """
    try:
        _look_at_events(text, where, nodes)
        loader = (yaml.CSafeLoader if typed else _TextLoader)(text)
        try:
            node = loader.get_single_node()
            _refuse_doubles(node, where, below=doubles_below)
            return (loader.construct_document(node) if node else None), node
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = " ".join(str(getattr(error, "problem", None) or error).split())[:200]
        raise DppctlError(f"{where}:{mark.line + 1 if mark else 1}: not valid YAML: {problem}") from None
    except _SCALAR_ERRORS:
        raise DppctlError(f"{where}: not valid YAML: a value in it cannot be read; put it in quotes") from None


def _look_at_events(text: str | bytes, where: str, most: int) -> None:
    """Refuse what is nested too deep, and what would be too large with all aliases written out."""
    sizes: dict[str, int] = {}  # of what has an anchor
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]  # anchor, size so far
    aliases = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        size = 0
        if isinstance(event, yaml.AliasEvent):
            size = sizes.get(event.anchor, 1)
            aliases += 1
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, 1))
        elif isinstance(event, yaml.ScalarEvent | yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop() if isinstance(event, yaml.CollectionEndEvent) else (event.anchor, 1)
            if anchor:
                sizes[anchor] = size
        above, so_far = open_nodes[-1]
        open_nodes[-1] = (above, so_far + size)
        if len(open_nodes) > MAX_YAML_DEPTH:
            raise DppctlError(f"{_line(where, event)}: nested too deep; {MAX_YAML_DEPTH} levels are read at most")
        if so_far + size > most:
            raise DppctlError(
                f"{_line(where, event)}: too large; {most:,} values are read at most, those of aliases included"
            )
        if aliases > MAX_YAML_ALIASES:
            raise DppctlError(f"{_line(where, event)}: there are more than {MAX_YAML_ALIASES:,} aliases")


def _line(where: str, event: yaml.Event) -> str:
    return f"{where}:{event.start_mark.line + 1}"


def _refuse_doubles(root: yaml.Node | None, where: str, *, below: bool) -> None:
    """Refuse a key that stands twice: YAML forbids it, the loader takes the last one and says nothing.

    What `<<` brings is not looked at: it is no key of the mapping yet, and a key of the mapping may replace it.
    """
    seen: set[int] = set()  # aliases make the tree a graph, which may have circles
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in keys:
                        raise DppctlError(f"{where}:{key.start_mark.line + 1}: {key.value[:80]!r} is there twice")
                    keys.add(key.value)
                waiting += [value] if below else []
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
