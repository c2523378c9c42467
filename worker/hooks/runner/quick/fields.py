"""Casts values as `Field.cast_value` and `Schema.cast_row` of tableschema do, by a function compiled for each field.

It knows the usual values of each type; for all others, and for each that is wrong, the original runs from the
beginning and gives the value or the error.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from .dates import layout_reader
from .known import unknown

TABLESCHEMA_FILES = {
    "tableschema/field.py": "786c2be27e4dce3f175ac7a41a17ec1b5c05ae65a622f2f95a68b0b6dfbf1d2c",
    "tableschema/schema.py": "8f6ce94e05da39ed64b3910b458dbf3cc6178016d20e062751ed8906893a19fe",
    "tableschema/config.py": "0fb8fe5d910574a1915cfa24453e5df7421688f9e722ced1663e551a8014c397",
    "tableschema/types/any.py": "21e41dd833afa318b0c948b6ff95daf20a00ee04b8f6f3e8378e6681f500eb00",
    "tableschema/types/array.py": "111b78eb0875102946e9b20558002f478de8fd1fc18eeb69f5d1cf4f584d9dcf",
    "tableschema/types/boolean.py": "9fb2708dca14ff1b1876e1cf2b0b3707e2bc37b46a343038f87f60a84007cf19",
    "tableschema/types/date.py": "63ce9acfe9471abce6967bd6ec3d91865089027df24f5fd16860aecbfde09b17",
    "tableschema/types/datetime.py": "ed3fa9c49ab2d85632f7967265ee9c437c10a13f749826abab87a48644105989",
    "tableschema/types/duration.py": "baddb36740f129eb8e77c7e9ae11b0f882daab77a8d54089974e0bf8cfd896ca",
    "tableschema/types/integer.py": "be45152a436bff39aa98fdc6209fa8934c8e8093d3b312fd5c3ebbd0583d637e",
    "tableschema/types/number.py": "d0e6a009eec9298cfb0128d85eb4fd008a199946244e0f6561fb7faf87563238",
    "tableschema/types/object.py": "125f5cefdd1ae5f4caa5a674e30e5f0a79f3cda992c99c919ec7c1a11517a2f4",
    "tableschema/types/string.py": "fe1aca3ff38cfc6b5da0ca12838d752c0180df194fd6ecb1894fe31e2047646c",
    "tableschema/types/time.py": "fc34a2bbd8b58b7aee187381f629d0faca4f444a87326e7fefbd2d10208eb4d8",
    "tableschema/types/year.py": "7893b7cde108a8def2c9f5daa0565fcacef3b4a52aadf0685e3aa46ff05ec931",
}
ERROR = "tableschema.error"  # tableschema's mark of a value that cannot be cast, and so no value
Cast = Callable[[Any], Any]
"""Returns the value, or raises anything at all for one that the original is to cast."""
Options = Dict[str, Any]


class UnusualFieldError(Exception):
    """The original is to cast this value."""


def applies() -> Optional[str]:
    """Return None, or why values are cast as ever."""
    return unknown("tableschema 1.21.0", TABLESCHEMA_FILES)


def install() -> None:
    """Change `Field.cast_value` and `Schema.cast_row`."""
    field_class = import_module("tableschema.field").Field
    schema_class = import_module("tableschema.schema").Schema
    cast_value, cast_row = field_class.cast_value, schema_class.cast_row

    def quick_cast_value(self: Any, value: Any, constraints: Any = True) -> Any:
        if constraints is True:
            quick = self.__dict__.get("_quick") or _remember(self, [compile_field(self)])
            try:
                return quick.casts[0](value)
            except Exception:  # noqa: BLE001, S110 - the original says what is wrong, if anything is
                pass
        return cast_value(self, value, constraints)

    def quick_cast_row(
        self: Any, row: Any, fail_fast: bool = False, row_number: Any = None, exc_handler: Any = None
    ) -> Any:
        fields = self._Schema__fields
        quick = self.__dict__.get("_quick")
        if quick is None or quick.fields is not fields:
            quick = _remember(self, [compile_field(f) if type(f) is field_class else _unusual for f in fields], fields)
        if type(row) in (list, tuple) and len(row) == len(quick.casts):
            try:
                return [cast(value) for cast, value in zip(quick.casts, row)]
            except Exception:  # noqa: BLE001, S110 - the original says what is wrong, if anything is
                pass
        return cast_row(self, row, fail_fast, row_number, exc_handler)

    field_class.cast_value = quick_cast_value
    schema_class.cast_row = quick_cast_row


class _Quick:
    """The compiled casts of a field or schema. A copy of the field or schema, which may differ, has its own."""

    def __init__(self, casts: List[Cast], fields: Any) -> None:
        self.casts = casts
        self.fields = fields

    def __reduce__(self) -> Tuple[Any, ...]:
        return (type(None), ())


def _remember(owner: Any, casts: List[Cast], fields: Any = None) -> _Quick:
    owner.__dict__["_quick"] = quick = _Quick(casts, fields)
    return quick


class Parts(NamedTuple):
    """What casting a value of a field is made of."""

    read: Cast  # of text
    by_type: Dict[type, Optional[Cast]]  # what is done to values of other types: nothing (None), or a call
    missing: List[str]
    checks: Tuple[Cast, ...]


def parts_of(field: Any) -> Optional[Parts]:
    """Return the parts of a field, None for one whose values the original is to cast."""
    if type(field).__module__ != "tableschema.field":
        return None
    function = field._Field__cast_function
    missing = field._Field__missing_values
    make = _MAKERS.get(function.func.__name__) if function.func.__module__.startswith("tableschema.types.") else None
    made = make(function.args[0], function.keywords) if make is not None else None
    if made is None or field._Field__preserve_missing_values:
        return None
    if type(missing) is not list or any(type(text) is not str for text in missing):
        return None
    return Parts(*made, missing, tuple(field._Field__check_functions.values()))


def compile_field(field: Any) -> Cast:
    """Return the cast of a field, its missing values and constraints included."""
    parts = parts_of(field)
    return _unusual if parts is None else cast_of(parts)


def cast_of(parts: Parts) -> Cast:
    """Return the cast that these are the parts of."""
    read, by_type, missing, checks = parts

    def cast(value: Any) -> Any:
        if type(value) is str:
            result = None if value in missing else read(value)
        elif value is None:
            result = None
        else:
            change = by_type[type(value)]
            result = value if change is None else change(value)
        for check in checks:
            if not check(result):
                raise UnusualFieldError
        return result

    return cast


def reads_text_as_it_is(parts: Parts) -> bool:
    """Return whether text is cast to itself, if it is neither a missing value nor ERROR."""
    return parts.read is _read_string


def _unusual(_value: Any) -> Any:
    raise UnusualFieldError


Made = Optional[Tuple[Cast, Dict[type, Optional[Cast]]]]
"""How text is read, and what is done to values of other types: nothing (None), or a call."""


def _make_string(form: Any, _options: Options) -> Made:
    return (_read_string, {}) if form is None or form == "default" else None


def _read_string(text: str) -> str:
    if text == ERROR:
        raise UnusualFieldError
    return text


def _make_any(_form: Any, _options: Options) -> Made:
    plain = (int, float, bool, Decimal, date, datetime, time, timedelta, list, dict)
    return _read_string, dict.fromkeys(plain)


def _make_integer(_form: Any, options: Options) -> Made:
    return (int, {int: None}) if options.get("bareNumber", True) is True else None


def _make_number(_form: Any, options: Options) -> Made:
    plain = options.get("decimalChar", ".") == "." and not options.get("groupChar")
    if not plain or options.get("bareNumber", True) is not True:
        return None
    return Decimal, {Decimal: None, int: _number_of_other, float: _number_of_other}


def _number_of_other(value: Any) -> Decimal:
    return Decimal(str(value))


def _make_boolean(_form: Any, options: Options) -> Made:
    trues = options.get("trueValues", ["true", "True", "TRUE", "1"])
    falses = options.get("falseValues", ["false", "False", "FALSE", "0"])

    def read(text: str) -> bool:
        stripped = text.strip()
        if stripped in trues:
            return True
        if stripped in falses:
            return False
        raise UnusualFieldError

    return read, {bool: None}


def _make_date(form: Any, _options: Options) -> Made:
    read = layout_reader("%Y-%m-%d" if form == "default" else form, "Ymd")
    return (lambda text: read(text).date(), {date: None}) if read else None


def _make_datetime(form: Any, _options: Options) -> Made:
    read = layout_reader("%Y-%m-%dT%H:%M:%SZ" if form == "default" else form, "Ymd")
    return (read, {datetime: None}) if read else None


def _make_time(form: Any, _options: Options) -> Made:
    read = layout_reader("%H:%M:%S" if form == "default" else form, "H")
    return (lambda text: read(text).time(), {time: None}) if read else None


def _make_year(_form: Any, _options: Options) -> Made:
    return _read_year, {int: _check_year}


def _read_year(text: str) -> int:
    if len(text) != 4:
        raise UnusualFieldError
    return _check_year(int(text))


def _check_year(year: int) -> int:
    if 0 <= year <= 9999:
        return year
    raise UnusualFieldError


_MAKERS: Dict[str, Callable[[Any, Options], Made]] = {
    "cast_any": _make_any,
    "cast_array": lambda _form, _options: (_unusual, {list: None}),
    "cast_boolean": _make_boolean,
    "cast_date": _make_date,
    "cast_datetime": _make_datetime,
    "cast_duration": lambda _form, _options: (_unusual, {timedelta: None}),
    "cast_integer": _make_integer,
    "cast_number": _make_number,
    "cast_object": lambda _form, _options: (_unusual, {dict: None}),
    "cast_string": _make_string,
    "cast_time": _make_time,
    "cast_year": _make_year,
}
