"""What many look at is made once, and never shown to whom it is not the same."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from markupsafe import Markup

from tests.support.pages import APP, deploy, make_world
from webhooks.shared_pages import SharedPage, SharedPages


def test_it_is_made_once_for_all_who_ask_at_the_same_time_and_again_when_it_is_another(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    pages, made, begun = SharedPages(), list[str](), threading.Event()

    def ask(change: int, shown: str) -> str:
        def make() -> SharedPage:
            begun.wait(1)
            made.append(shown)
            return SharedPage("<title>", Markup(f"<p>{len(made)}</p>"))

        with world.app.test_request_context("/deployments/1"):
            return pages.show(change, shown, make)

    with ThreadPoolExecutor(8) as people:
        asked = [people.submit(ask, 1, "ann") for _ in range(8)]
        begun.set()
        texts = {one.result() for one in asked}
    assert (made, len(texts)) == (["ann"], 1)
    assert "&lt;title&gt;" in (text := texts.pop())
    assert "<p>1</p>" in text
    assert "<p>2</p>" in ask(1, "bob")
    assert "<p>1</p>" in ask(1, "ann")
    assert "<p>3</p>" in ask(2, "ann")
    assert "<p>4</p>" in ask(1, "ann")  # what was before a change is not kept
    world.store.close()


def test_what_cannot_be_made_is_tried_again_by_the_next_who_asks(tmp_path: Path) -> None:
    world, pages = make_world(tmp_path), SharedPages()

    def fail() -> SharedPage:
        raise OSError("the disk is away")

    with world.app.test_request_context("/"):
        with pytest.raises(OSError, match="away"):
            pages.show(1, "ann", fail)
        assert "<p>1</p>" in pages.show(1, "ann", lambda: SharedPage("One", Markup("<p>1</p>")))
    world.store.close()


@pytest.mark.parametrize("path", ["/deployments/1", f"/apps/{APP}/staging"])
def test_who_may_not_act_sees_no_buttons_that_were_made_for_somebody_else(tmp_path: Path, path: str) -> None:
    world = make_world(tmp_path)
    at_this_machine, elsewhere = world.client(), world.client()
    elsewhere.environ_base["REMOTE_ADDR"] = "192.0.2.7"  # type: ignore[attr-defined]
    shown = [len(world.actions(client, path)) > 0 for client in (at_this_machine, elsewhere, at_this_machine)]
    assert shown == [True, False, True]
    deploy(world.store, 3, state="failed")
    shown = [len(world.actions(client, path)) > 0 for client in (elsewhere, at_this_machine)]
    assert shown == [False, True]
    world.store.close()
