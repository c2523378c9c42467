"""When Python looks for garbage."""

import gc

from cli.garbage import put_off_collection, resume_collection


def collections() -> int:
    return sum(generation["collections"] for generation in gc.get_stats())


def test_none_is_looked_for_while_a_command_imports_and_as_before_when_it_serves() -> None:
    gc.collect()
    before, thresholds = collections(), gc.get_threshold()
    try:
        put_off_collection()
        imported = [[number] for number in range(220_000)]
        assert collections() == before
    finally:
        resume_collection()
    assert gc.get_threshold() == thresholds
    assert gc.get_freeze_count() > len(imported)
    kept = [[number] for number in range(50_000)]
    assert collections() > before, len(kept)
