"""What our events and the records of libraries look like on their lines."""

import logging
import re
from collections.abc import Callable, Iterator

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from bot.logs import configure, get_logger

KEY = "-----BEGIN KEY-----\nof two lines"
_log = get_logger("dppctl.test")


@pytest.fixture(autouse=True)
def _configured() -> Iterator[None]:
    before, handlers = structlog.get_config(), list(logging.getLogger().handlers)
    configure(["s3cret", KEY])
    yield
    structlog.configure(**before)
    logging.getLogger().handlers = handlers


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Return the lines that were written, without their times, which have their form."""

    def read() -> list[str]:
        text = capsys.readouterr().err
        return [re.sub(r"^timestamp=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z ", "", line) for line in text.splitlines()]

    return read


def test_an_event_is_one_line_with_what_is_bound_before_the_rest(lines: Callable[[], list[str]]) -> None:
    with bound_contextvars(delivery="d-1", app="ann/app", environment="staging"):
        _log.info("deploying", done=True, image=None)
    _log.warning("not told", error='it said "no"\nand left')
    _log.debug("unheard")
    assert lines() == [
        "level=info logger=dppctl.test event=deploying delivery=d-1 app=ann/app environment=staging done=true image=",
        r'level=warning logger=dppctl.test event="not told" error="it said \"no\"\nand left"',
    ]


def test_a_library_has_the_same_lines_for_its_warnings(lines: Callable[[], list[str]]) -> None:
    library = logging.getLogger("urllib3.connectionpool")
    with bound_contextvars(delivery="d-1"):
        library.warning("Retrying %s", "a call with s3cret")
    library.info("unheard")
    assert lines() == [
        'level=warning logger=urllib3.connectionpool event="Retrying a call with ***" delivery=d-1',
    ]


def test_a_traceback_is_part_of_its_line(lines: Callable[[], list[str]]) -> None:
    for logger in (_log, logging.getLogger("library")):
        try:
            raise ValueError("with s3cret")
        except ValueError:
            logger.exception("it broke")
    for line in lines():
        assert re.match(
            r'level=error logger=\S+ event="it broke" exception="Traceback .*ValueError: with \*\*\*"$', line
        )


def test_secrets_and_tokens_are_masked_wherever_they_are(lines: Callable[[], list[str]]) -> None:
    _log.info("with s3cret", error=ValueError(f"{KEY} and ghp_0123456789abcdef0123"))
    assert lines() == ['level=info logger=dppctl.test event="with ***" error="*** and ***"']


def test_what_a_terminal_would_obey_is_not_written(lines: Callable[[], list[str]]) -> None:
    _log.info("received", ref="refs/heads/\x1b[2Ja\rlevel=error")
    assert lines() == ['level=info logger=dppctl.test event=received ref="refs/heads/ [2Ja level=error"']


def test_what_orders_letters_anew_is_seen(lines: Callable[[], list[str]]) -> None:
    _log.info("received", ref="a\u202eb\u2066c")
    assert lines() == [r"level=info logger=dppctl.test event=received ref=a\u202eb\u2066c"]


def test_a_reader_that_is_gone_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def write(self, _: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr("sys.stderr", Gone())
    _log.info("unheard")


def test_before_configure_only_warnings_are_written(lines: Callable[[], list[str]]) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    _log.info("unheard")
    _log.error("heard")
    assert lines() == ["level=error logger=dppctl.test event=heard"]
