"""A button on a page, up to what the bot made of it and what the page says then."""

from pathlib import Path

import pytest

from tests.support.forge import APP as FILES
from tests.support.forge import Forge
from tests.support.pages import APP, PagesWorld
from tests.support.stories.bot import Story
from tests.support.world import World
from webhooks.app import create_app

pytestmark = pytest.mark.slow


def test_who_goes_back_by_a_button_sees_that_it_is_so_and_lets_go_by_another(tmp_path: Path, forge: Forge) -> None:
    with World(tmp_path, forge) as world:
        story = Story(world)
        for number in (1, 2):
            story.app.push(FILES | {"file": str(number)})
            story.reconcile()
            story.succeed(kept=range(1, number))
        pages = PagesWorld(story.store, create_app(world.settings, story.targets, story.store))
        client = pages.client()
        fields = pages.fields(client, "rollback") | {"message": "v2 lost a column"}
        asked = pages.send(client, "rollback", fields).headers["Location"]
        story.loop.take()
        story.succeed(kept=[1, 2])
        assert '<a href="/deployments/3">deployment 3</a>' in client.get(asked).get_data(as_text=True)
        text = client.get(f"/apps/{APP}/staging").get_data(as_text=True)
        assert 'rolled back to <a href="/deployments/1">deployment 1</a> by ' in text
        assert "v2 lost a column" in text
        assert "held</span> since" in text
        assert pages.actions(client)[-2:] == ["Release", "Deploy"]

        pages.send(client, "release", pages.fields(client, "release"))
        story.loop.take()
        assert story.holds() == {}
        assert 'id="hold"' not in client.get(f"/apps/{APP}/staging").get_data(as_text=True)
        story.loop.close()
