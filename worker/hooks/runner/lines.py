"""dpp's line codec: a row to a line of JSON and back, the same bytes and values as datapackage_pipelines' own.

A row is written by a template that is compiled once for its keys and the types of its values; what a template does
not know, and every mistake, is dpp's own encoder's business (`utilities/extended_json.py`). Dates and times that look
as dpp writes them are read without `strptime`.
"""

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from importlib import import_module
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from .batches import batch_of
from .quick.known import unknown

FILES = {
    "datapackage_pipelines/utilities/extended_json.py": (
        "96bcd9cff6e48c6e7fddef69a642b409ae93bcdfe1d30a3385adf65b2d8a66de"
    ),
}
MOST_TEMPLATES = 1_000  # of keys and types; rows of more than these are encoded as dpp does
Template = Callable[[Dict[str, Any]], str]
_JSON_TYPES = frozenset((str, int, float, bool, type(None)))
_codecs: List["Codec"] = []  # the one that is installed

_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_DATE, _DATETIME, _TIME = '{"type{date}": "%s"}', '{"type{datetime}": "%s"}', '{"type{time}": "%s"}'


def applies() -> Optional[str]:
    """Return None, or why dpp's codec stays as it is."""
    reason = unknown("datapackage-pipelines 2.2.11", FILES)
    if reason is None and date(1, 1, 1).strftime("%04Y-%m-%d") != "0001-01-01":
        reason = "years before 1000 are written differently on this machine"
    return reason


def install() -> None:
    """Have dpp's processors read and write lines with this codec."""
    extended_json = import_module("datapackage_pipelines.utilities.extended_json")
    codec = Codec(extended_json)
    _codecs.append(codec)
    extended_json.json.dumpl = codec.dump_line
    extended_json.json.loads = codec.loads


def write_columns(columns: Dict[str, Sequence[Any]], count: int) -> Optional[List[str]]:
    """Return dpp's lines of rows, which are given as columns; None, or any error, when dpp's encoder is to write them.

    count: of the rows.
    """
    return _codecs[0].dump_columns(columns, count) if _codecs else None


def read_columns(texts: List[str]) -> Optional[Dict[str, Sequence[Any]]]:
    """Return the rows that lines stand for as columns; None, or any error, when dpp's decoder is to read them."""
    return _codecs[0].load_columns(texts) if _codecs else None


class Codec:
    """Encodes and decodes as the module `extended_json` does."""

    def __init__(self, extended_json: Any) -> None:
        """extended_json: the module of dpp's."""
        self._dumpl, self._loads = extended_json.json.dumpl, extended_json.json.loads
        self._lazy_line = extended_json.LazyJsonLine
        self._object_hook = extended_json.CommonJSONDecoder.object_hook
        self._parse_duration = extended_json.isodate.parse_duration
        self._nested = extended_json.CommonJSONEncoder(sort_keys=True).encode
        self._scan = json.JSONDecoder(object_hook=self._value).scan_once  # type: ignore[attr-defined]
        self._templates: Dict[Tuple[Any, ...], Optional[Template]] = {}
        self._writers: Dict[type, Any] = {
            str: ("%s", quoted),
            int: ("%s", int.__repr__),
            bool: ("%s", lambda value: "true" if value else "false"),
            type(None): ("null", None),
            float: ("%s", _float),
            Decimal: ('{"type{decimal}": "%s"}', str),
            date: (_DATE, date.isoformat),
            datetime: (_DATETIME, _datetime),
            time: (_TIME, _time),
            timedelta: (
                '{"type{duration}": %s}',
                lambda value: quoted(extended_json.isodate.duration_isoformat(value)),
            ),
            list: ("%s", self._nested),
            dict: ("%s", self._nested),
        }

    def dump_line(self, row: Any, **options: Any) -> str:
        """Return a row as dpp's line of it, with sorted keys; options: of `json.dumps`."""
        if type(row) is self._lazy_line:
            if not row.dirty:
                return row.line  # type: ignore[no-any-return]
            plain = row.inner
        else:
            plain = row
        if type(plain) is dict and options == {"sort_keys": True, "ensure_ascii": True}:
            try:
                kind = (*plain, *map(type, plain.values()))
                template = self._templates[kind] if kind in self._templates else self._compile(kind, plain)
                if template is not None:
                    return template(plain)
            except Exception:  # noqa: BLE001 - dpp's encoder says what is wrong
                return self._dumpl(row, **options)  # type: ignore[no-any-return]
        return self._dumpl(row, **options)  # type: ignore[no-any-return]

    def dump_columns(self, columns: Dict[str, Sequence[Any]], count: int) -> Optional[List[str]]:
        """Return the lines of rows that are given as columns, None when some are not to be written by it."""
        parts: List[str] = []
        texts: List[Any] = []
        for key in sorted(columns):
            types = set(map(type, columns[key]))
            if type(key) is not str or not types <= self._writers.keys():
                return None
            form = "%s"
            if len(types) == 1:
                form, write = self._writers[types.pop()]
                if write is not None:
                    texts.append(map(write, columns[key]))
            else:
                texts.append(map(self._text, columns[key]))
            parts.append(quoted(key).replace("%", "%%") + ": " + form)
        text = "{" + ", ".join(parts) + "}"
        return [*map(text.__mod__, zip(*texts))] if texts else [text % ()] * count

    def _text(self, value: Any) -> str:
        form, write = self._writers[type(value)]
        return form if write is None else form % write(value)  # type: ignore[no-any-return]

    def loads(self, line: Any, **options: Any) -> Any:
        """Return the value of a line, or of any other JSON text; options: of `json.loads`."""
        if type(line) is str and (not options or [*options] == ["cls"]):
            try:
                value, end = self._scan(line, 0)
                if end == len(line):
                    return value
            except Exception:  # noqa: BLE001, S110 - dpp's decoder says what is wrong
                pass
        return self._loads(line, **options)

    def load_columns(self, texts: List[str]) -> Optional[Dict[str, Sequence[Any]]]:
        """Return the rows of lines as columns, None when some are not to be read by it."""
        rows = json.loads("[{}]".format(",".join(texts)))
        columns = batch_of(rows).columns if len(rows) == len(texts) > 0 else None
        if columns is None or any(key.startswith("type{") for key in columns):
            return None
        return {key: _read_column(values) for key, values in columns.items()}

    def _compile(self, kind: Tuple[Any, ...], row: Dict[str, Any]) -> Optional[Template]:
        """Return a function for rows with these keys and types, or None when dpp is to encode them."""
        template: Optional[Template] = None
        if all(type(key) is str for key in row) and all(type(value) in self._writers for value in row.values()):
            parts: List[str] = []
            writers: List[Tuple[str, Any]] = []
            for key in sorted(row):
                form, write = self._writers[type(row[key])]
                parts.append(quoted(key).replace("%", "%%") + ": " + form)
                if write is not None:
                    writers.append((key, write))
            text = "{" + ", ".join(parts) + "}"

            template = _filler(text, writers)
        if len(self._templates) < MOST_TEMPLATES:
            self._templates[kind] = template
        return template

    def _value(self, found: Dict[str, Any]) -> Any:
        """Return what a JSON object stands for; its only key may be a type's name in dpp's way."""
        if _TYPE_KEYS.isdisjoint(found):
            return found
        if len(found) == 1:
            for key, text in found.items():
                read = _READERS.get(key)
                if read is not None and type(text) is str:
                    value = read(text)
                    if value is not None:
                        return value
        return self._object_hook(found)


def _filler(text: str, writers: Sequence[Tuple[str, Any]]) -> Template:
    """Return a function that writes rows into a text with a place for each of these keys; made by Python's compiler."""
    names: Dict[str, Any] = {"text": text}
    values = []
    for number, (key, write) in enumerate(writers):
        names[f"w{number}"] = write
        values.append(f"w{number}(row[{key!r}]), ")
    exec(f"def fill(row):\n    return text % ({''.join(values)})", names)  # noqa: S102 - the lines above
    return names["fill"]  # type: ignore[no-any-return]


def _read_column(values: Sequence[Any]) -> Sequence[Any]:
    """Return the values that those of plain JSON stand for. Raises anything at all when they are unusual."""
    types = set(map(type, values))
    if types <= _JSON_TYPES:
        return values
    found = [value for value in values if value is not None]
    ((name, _),) = found[0].items()
    texts = [value[name] for value in found]
    read = [*map(_READERS[name], texts)]
    if set(map(len, found)) != {1} or set(map(type, texts)) != {str} or None in read:
        raise ValueError(name)
    if len(read) == len(values):
        return read
    following = iter(read)
    return [None if value is None else next(following) for value in values]


def _float(value: float) -> str:
    text = float.__repr__(value)
    return _NOT_FINITE.get(text, text)


def _datetime(value: datetime) -> str:
    return value.isoformat(" ", "seconds")[:19]  # without a zone


def _time(value: time) -> str:
    return value.isoformat("seconds")[:8]


def _read_decimal(text: str) -> Optional[Decimal]:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _read_date(text: str) -> Optional[date]:
    if len(text) == 10 and text[4] == text[7] == "-":
        try:
            return date.fromisoformat(text)
        except ValueError:
            return None
    return None


def _read_datetime(text: str) -> Optional[datetime]:
    if len(text) == 19 and text[10] == " " and text[4] == text[7] == "-" and text[13] == text[16] == ":":
        try:
            return datetime.fromisoformat(text) if text[11:13] != "24" else None
        except ValueError:
            return None
    return None


def _read_time(text: str) -> Optional[time]:
    if len(text) == 8 and text[2] == text[5] == ":" and text[:2] != "24":
        try:
            return time.fromisoformat(text)
        except ValueError:
            return None
    return None


_TYPE_KEYS = frozenset(f"type{{{name}}}" for name in ("decimal", "time", "datetime", "date", "duration", "set"))
_READERS: Dict[str, Callable[[str], Any]] = {
    "type{decimal}": _read_decimal,
    "type{date}": _read_date,
    "type{datetime}": _read_datetime,
    "type{time}": _read_time,
}
