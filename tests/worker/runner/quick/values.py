"""Values that rows may have, awkward ones among them, as strategies."""

import datetime
from collections import OrderedDict
from decimal import Decimal

from hypothesis import strategies as st

ZONE = datetime.timezone(datetime.timedelta(hours=2))
AWKWARD_TEXTS = [
    "", " ", " padded ", "שלום", "a\nb\r\n", "NaN", "-inf", "0001-01-01", "2020-02-29", "2020-2-9", "2021-02-29", "1",
    "01", "1_000", "1.50", "1e400", "١٢٣", "true", "False", "2147483648", "a\0b", "%s %(a)s", "\\N", "\t", '"',
    "\ud800", "\ufeff", "2020-01-02T03:04:05Z", "2020-01-02 03:04:05", "23:59:60", "24:00:00", "2020-W01-1",
    "31/12/1999", "12:00:00", "P1Y2M", "34.8, 32.1", "[1, 2]", '{"a": 1}', "tableschema.error", "2020-01", "1999",
    "a@b.cc", "http://a.b/c", "🗳️",
]  # fmt: skip
TEXTS = st.sampled_from(AWKWARD_TEXTS) | st.text(max_size=8)
NUMBERS = (
    st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.sampled_from([Decimal("1E+3"), Decimal("sNaN"), Decimal("-0.00"), -0.0, 2**31, 10**30])
)
TIMES = (
    st.dates()
    | st.datetimes(timezones=st.sampled_from([None, ZONE]))
    | st.times(timezones=st.sampled_from([None, ZONE]))
    | st.timedeltas()
    | st.sampled_from([datetime.date(1, 1, 1), datetime.datetime(1, 1, 1, 0, 0, 0, 5)])
)
PLAIN = st.none() | TEXTS | NUMBERS | TIMES
NESTED = st.recursive(
    PLAIN | st.sets(st.integers(), max_size=1),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(TEXTS, inner, max_size=3)
        | st.dictionaries(TEXTS, inner, max_size=2).map(OrderedDict)
    ),
    max_leaves=4,
)
