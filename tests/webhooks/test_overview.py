"""The matrix and the list of `/`."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from sqlalchemy import update

from bot.model.names import RepoPath
from bot.model.registration import Target
from bot.settings import load_settings
from bot.store.tables import Deployment
from tests.support.pages import APP, PagesWorld, deploy, make_world
from tests.support.stores import open_new_store
from webhooks.app import create_app


@pytest.fixture
def world(tmp_path: Path) -> PagesWorld:
    return make_world(tmp_path)


def texts(world: PagesWorld, path: str = "/") -> str:
    """Return the text of a page's main part, in a line."""
    main = world.client().get(path).get_data(as_text=True).partition("<main>")[2].partition("</main>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def listed(world: PagesWorld, path: str) -> list[int]:
    found = re.findall(r'<tr id="deployment-(\d+)"', world.client().get(path).get_data(as_text=True))
    return [int(number) for number in found]


def test_a_cell_says_what_data_is_there_from_what_by_whom_and_since_when(world: PagesWorld) -> None:
    three_hours = datetime.now(UTC) - timedelta(hours=3, minutes=5)
    deploy(world.store, 3, subject="A chair for each committee", author="Ann Example", changed=three_hours)
    matrix = texts(world).partition("Deployments")[0]
    assert "succeeded 984 rows v3 3333333333 A chair for each committee" in matrix
    assert "by Ann Example 3 hours ago · data" in matrix
    assert f'title="{three_hours:%Y-%m-%d %H:%M:%S} UTC"' in world.client().get("/").get_data(as_text=True)
    assert f'href="/apps/{APP}/staging#data" aria-label="data: staging of {APP}"' in world.client().get("/").get_data(
        as_text=True
    )


def test_what_is_newer_than_the_data_stands_first_with_why(world: PagesWorld) -> None:
    deploy(world.store, 3, state="failed")
    deploy(world.store, 4, environment="production", state="waiting", gate="staging")
    matrix = texts(world).partition("Deployments")[0]
    assert re.search(r"failed ./one: it broke v3 3{10} \w+ .*succeeded 984 rows", matrix)
    assert "waiting waits for staging v4" in matrix
    assert "nothing runs here yet" in matrix


def test_a_row_is_shown_anew_when_anything_in_it_is_another(world: PagesWorld) -> None:
    def change(**values: object) -> str:
        with world.store.database.write() as session:
            session.execute(update(Deployment).where(Deployment.id == 2).values(**values))
        world.store.deployments.append_log(1, "so that the change number moves\n")
        return texts(world).partition("Deployments")[0]

    assert "984 rows" in texts(world)
    assert "1 row gone" in change(summary="1 row gone")
    assert "Another subject" in change(subject="Another subject")
    assert "2 minutes ago" in change(changed=datetime.now(UTC) - timedelta(seconds=150))
    world.store.holds.set(APP, "staging", "elections", by="token:ann", login="ann")
    assert re.search(r"held since .* by ann : elections", texts(world))
    world.store.holds.release(APP, "staging")
    assert "elections" not in texts(world)


def test_previews_are_folded_under_their_app(tmp_path: Path) -> None:
    store = open_new_store(tmp_path / "bot.sqlite")
    names = ("staging", "preview-*")
    targets = {Target(RepoPath.parse(APP), RepoPath("ann/ops"), name) for name in names}
    world = PagesWorld(store, create_app(load_settings(tmp_path, {"DPPCTL_WEBHOOK_SECRETS": "x"}), targets, store))
    deploy(store, 1)
    assert "preview" not in texts(world).partition("Deployments")[0]
    deploy(store, 2, environment="preview-chair")
    deploy(store, 3, environment="preview-names", state="failed")
    deploy(store, 4, environment="preview-gone")
    branches = {f"preview-{name}": (f"refs/heads/{name}", "staging") for name in ("chair", "names")}
    store.previews.keep(APP, "ann/ops", branches)
    page = world.client().get("/").get_data(as_text=True)
    heads = re.findall(r'<th scope="col">([^<]+)</th>', page.partition("</thead>")[0])
    assert heads == ["App", "staging"]
    folded = re.search(r"<details id=\"previews-of-ann/app\">.*?</details>", page, re.DOTALL)
    assert folded
    assert "open" not in folded[0].partition(">")[0]
    text = " ".join(re.sub(r"<[^>]+>", " ", folded[0]).split())
    assert text.startswith("2 previews of ann/app: chair succeeded , names failed preview-chair succeeded 984 rows")
    assert f'href="/apps/{APP}/preview-names"' in folded[0]
    found = world.client().get("/api/environments").get_json()["environments"]
    assert [(one["environment"], one["is_preview"]) for one in found] == [
        ("staging", False),
        ("preview-chair", True),
        ("preview-names", True),
    ]
    store.previews.keep(APP, "ann/ops", {})
    assert "preview-" not in texts(world).partition("Deployments")[0]


def test_the_list_is_filtered_and_turned_by_plain_links(world: PagesWorld) -> None:
    for number in range(3, 10):
        deploy(world.store, number, environment="production", state="failed" if number % 2 else "succeeded")
    assert listed(world, "/?environment=production&state=failed") == [9, 7, 5, 3]
    assert listed(world, f"/?app={APP}&environment=&state=") == [*range(9, 0, -1)]
    assert listed(world, "/?app=nobody/app") == []
    assert "None of these." in texts(world, "/?app=nobody/app")
    form = world.client().get("/?environment=production&state=failed").get_data(as_text=True)
    assert re.findall(r"<option selected>([^<]+)<", form) == ["production", "failed"]


def test_a_page_has_fifty_and_leads_to_those_before_and_after(world: PagesWorld) -> None:
    for number in range(120):
        world.store.deployments.record_commit(
            f"{number:040x}", APP, "production", "refs/heads/master", f"{number:040x}"
        )
    assert listed(world, "/?environment=production") == [*range(122, 72, -1)]
    second = "/?environment=production&page=2"
    assert listed(world, second) == [*range(72, 22, -1)]
    links = re.findall(r'<a href="([^"]+)" rel="(prev|next)">', world.client().get(second).get_data(as_text=True))
    assert [(unescape(url), rel) for url, rel in links] == [
        ("/?environment=production#list", "prev"),
        ("/?environment=production&page=3#list", "next"),
    ]
    assert "51 to 100 of 120" in texts(world, second)
    assert listed(world, "/?environment=production&page=9") == []
    assert "There are 120 only" in texts(world, "/?environment=production&page=9")


def test_a_list_says_how_long_each_took(world: PagesWorld) -> None:
    began = datetime.now(UTC) - timedelta(days=1)
    with world.store.database.write() as session:
        found = update(Deployment).where(Deployment.id == 2)
        session.execute(found.values(created=datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=199), changed=began))
    assert "3 min 20 s 1 day ago" in texts(world, "/?environment=staging")


def test_empty_states_say_which_command_to_type(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"DPPCTL_WEBHOOK_SECRETS": "x"})
    store = open_new_store(tmp_path / "bot.sqlite")
    nothing = PagesWorld(store, create_app(settings, set(), store))
    assert "dppctl init registers them; or name the app in apps.yaml" in texts(nothing)
    target = Target(RepoPath.parse(APP), RepoPath("ann/ops"), "staging")
    registered = PagesWorld(store, create_app(settings, {target}, store))
    assert "git push ; or dppctl deploy ann/app staging" in texts(registered)
