"""docker: what it is asked, and what is made of its answers. No daemon is needed."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.images.builders.buildkit_failures import digest
from bot.images.builders.docker import Docker, arguments, config
from bot.images.builders.interface import BuildPutOffError, Order
from bot.images.builders.source_policy import source_policy
from tests.support.builders import built

DIGEST = "sha256:" + 64 * "a"
# As `docker buildx build --metadata-file` writes it: https://docs.docker.com/reference/cli/docker/buildx/build/
METADATA = {
    "buildx.build.ref": "mybuilder/mybuilder0/0fjb6ubs52xx3vygf6fgdl611",
    "containerimage.config.digest": "sha256:" + 64 * "b",
    "containerimage.descriptor": {"digest": DIGEST, "mediaType": "application/vnd.oci.image.manifest.v1+json"},
    "containerimage.digest": DIGEST,
}


@pytest.fixture
def order(tmp_path: Path) -> Order:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\n")
    return Order(
        context=tmp_path / "app",
        dockerfile=tmp_path / "app" / "Dockerfile",
        destination="registry.example.org/ann/app:1",
        target="small",
        arguments={"WHO": "ann and bob"},
        labels={"org.example.commit": "1234"},
        secrets={"pip": tmp_path / "app" / "Dockerfile"},
    )


def test_what_docker_is_asked(order: Order, tmp_path: Path) -> None:
    assert [str(part) for part in arguments(order, tmp_path / "metadata.json")] == [
        "docker",
        "buildx",
        "build",
        "--push",
        "--progress=plain",
        f"--metadata-file={tmp_path}/metadata.json",
        f"--file={tmp_path}/app/Dockerfile",
        "--tag=registry.example.org/ann/app:1",
        "--pull",
        "--target=small",
        "--build-arg=WHO=ann and bob",
        "--label=org.example.commit=1234",
        f"--secret=id=pip,src={tmp_path}/app/Dockerfile",
        "--",
        f"{tmp_path}/app",
    ]


def test_docker_is_asked_for_each_step_anew(order: Order, tmp_path: Path) -> None:
    assert "--no-cache" in arguments(replace(order, rebuild=True), tmp_path / "metadata.json")


def test_the_digest_is_that_of_the_image() -> None:
    assert digest(json.dumps(METADATA, indent=2)) == DIGEST
    assert digest(json.dumps(METADATA)) == DIGEST
    assert digest("{}") is None
    assert digest("not JSON") is None


def test_logins_are_those_of_the_file_and_plugins_those_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "logins.json").write_text('{"auths": {"registry.example.org": {"auth": "YW5uOng="}}}')
    assert config(tmp_path / "logins.json", tmp_path / ".docker") == {
        "auths": {"registry.example.org": {"auth": "YW5uOng="}},
        "cliPluginsExtraDirs": [str(tmp_path / ".docker" / "cli-plugins")],
    }


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"auths": 1}'])
def test_a_file_of_logins_that_is_wrong_puts_the_build_off(tmp_path: Path, text: str) -> None:
    (tmp_path / "logins.json").write_text(text)
    with pytest.raises(BuildPutOffError, match=r"^DPPCTL_REGISTRY_AUTH_FILE: .*/logins\.json"):
        config(tmp_path / "logins.json", tmp_path)


def test_a_program_that_plays_docker_is_started_as_docker_would_be(
    order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes what it sees; the digest comes from the file of its --metadata-file."""
    docker(
        tmp_path,
        monkeypatch,
        'env; cat "$DOCKER_CONFIG/config.json"; echo\n'
        'cat "$EXPERIMENTAL_BUILDKIT_SOURCE_POLICY"; echo; for argument; do echo "$argument"; case "$argument" in\n'
        f"--metadata-file=*) echo '{json.dumps(METADATA)}' > \"${{argument#*=}}\";; esac; done\n",
    )
    monkeypatch.setenv("DPPCTL_GITHUB_TOKEN", "s3cr3t")
    monkeypatch.setenv("DOCKER_HOST", "tcp://builds.example.org:2376")
    (tmp_path / "logins.json").write_text('{"auths": {"registry.example.org": {}}}')
    order = replace(order, app="ann/app", logins={"registry.example.org/ann/app"})
    found, lines = built(Docker(auth_file=tmp_path / "logins.json", anew=True), order)
    assert found == DIGEST
    assert "--no-cache" in lines
    assert any(line.startswith("--build-arg=BUILDKIT_CACHE_MOUNT_NS=") for line in lines)
    (policy,) = [line for line in lines if line.startswith('{"rules"')]
    assert json.loads(policy) == source_policy(order, {"registry.example.org"})
    assert "DOCKER_HOST=tcp://builds.example.org:2376" in lines
    assert not any("s3cr3t" in line for line in lines)
    assert any("registry.example.org" in line for line in lines if line.startswith("{"))


def test_of_a_registry_that_there_is_a_login_for_an_app_gets_only_its_images(order: Order) -> None:
    order = replace(order, logins={"registry.example.org/ann/app", "ghcr.io/ann/base"})
    rules = source_policy(order, {"ghcr.io"})["rules"]
    found = [(rule["action"], rule["selector"]["identifier"].removeprefix("docker-image://")) for rule in rules]
    assert found[:2] == [("DENY", "ghcr.io/*"), ("DENY", "registry.example.org/*")]
    assert set(found[2:]) == {
        ("ALLOW", f"{name}{rest}")
        for name in ("ghcr.io/ann/base", "registry.example.org/ann/app")
        for rest in (":*", "@*", "/*")
    }


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("Cannot connect to the Docker daemon at unix:///none. Is it running?", "the daemon does not answer"),
        ("docker: unknown command: docker buildx", "there is no buildx plugin"),
        ("docker: 'buildx' is not a docker command.", "there is no buildx plugin"),
    ],
)
def test_a_docker_that_cannot_build_puts_the_build_off(
    order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, message: str
) -> None:
    """In words of docker's."""
    docker(tmp_path, monkeypatch, f'echo "{said}" >&2; exit 1\n')
    with pytest.raises(BuildPutOffError, match=f"^docker: {message}"):
        built(Docker(), order)
    found = Docker().probe()
    assert not found.works
    assert "buildx" in found.get


def docker(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program that plays docker, first on PATH."""
    program = folder / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
