"""What the client says about a real registry, with and without passwords and tokens."""

import platform
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.images.registry.errors import BrokenImageError, RegistryAwayError, RegistryDeniedError
from bot.model.image_reference import Reference
from tests.support.registry import LocalRegistry, running_registry
from tests.support.registry_answers import client as registry_client
from tests.support.token_server import BASIC, PASSWORD, token_server


def image(registry: LocalRegistry, name: str = "ann/app:1") -> Reference:
    return Reference.parse(f"{registry.host}/{name}")


@pytest.mark.needs("skopeo")
def test_the_digest_is_the_one_that_skopeo_finds(registry: LocalRegistry) -> None:
    pushed = registry.push("ann/app:1")
    index = registry.push_index("ann/app:2", {"amd64": {}, "arm64": {"a": "b"}})
    for name, digest in {"ann/app:1": pushed, "ann/app:2": index}.items():
        reference = image(registry, name)
        command = ["skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}", f"docker://{reference}"]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        assert registry_client().digest(reference) == found == digest
        assert registry_client().digest(reference.with_digest(digest)) == digest


def test_what_is_not_there_has_no_digest(registry: LocalRegistry) -> None:
    digest = registry.push("ann/app:1")
    client = registry_client()
    missing = [image(registry, "ann/app:2"), image(registry, "ann/other:1")]
    missing.append(image(registry).with_digest("sha256:" + "0" * 64))
    assert [client.digest(reference) for reference in missing] == [None, None, None]
    registry.delete("ann/app", digest)
    assert client.digest(image(registry)) is None


def test_a_registry_that_is_down_is_not_taken_for_one_without_the_image(registry: LocalRegistry) -> None:
    digest = registry.push("ann/app:1")
    client = registry_client()
    registry.stop()
    with pytest.raises(RegistryAwayError, match=rf"^{registry.host} is away: .*Connection refused$"):
        client.digest(image(registry))
    registry.start()
    assert client.digest(image(registry)) == digest


def test_an_image_is_whole_with_its_configuration_and_all_its_layers(registry: LocalRegistry) -> None:
    client = registry_client()
    digest = registry.push("ann/app:1", layers=2)
    assert client.check(image(registry)) == client.check(image(registry).with_digest(digest)) == digest
    for missing in (image(registry, "ann/app:2"), image(registry).with_digest("sha256:" + "0" * 64)):
        assert client.check(missing) is None
    *layers, config = registry.blobs("ann/app:1")
    registry.lose("ann/app", layers[0])
    assert client.digest(image(registry)) == digest
    with pytest.raises(BrokenImageError, match=f"{registry.host} has lost the layer {layers[0]} of .*: push it again"):
        client.check(image(registry))
    registry.lose("ann/app", config)
    with pytest.raises(BrokenImageError, match=f"lost the configuration {config} of"):
        client.check(image(registry).with_digest(digest))


def test_of_an_index_the_image_for_this_machine_is_whole_and_the_others_are_there(registry: LocalRegistry) -> None:
    here, other = ("arm64", "amd64") if platform.machine() == "aarch64" else ("amd64", "arm64")
    client = registry_client()
    index = registry.push_index("ann/app:3", {other: {}, here: {}})
    assert client.check(image(registry, "ann/app:3")) == index
    registry.delete("ann/app", registry.digest_of("ann/app:3-" + other))
    with pytest.raises(BrokenImageError, match=f"lost .*, the image for {other} in"):
        client.check(image(registry, "ann/app:3"))
    registry.push_index("ann/other:4", {other: {"a": "b"}})
    assert client.check(image(registry, "ann/other:4"))  # a cluster may have other processors
    (config,) = registry.blobs(f"ann/other:4-{other}")
    registry.lose("ann/other", config)
    with pytest.raises(BrokenImageError, match="lost the configuration"):
        client.check(image(registry, "ann/other:4"))


def test_an_artifact_that_is_no_image_is_told(registry: LocalRegistry) -> None:
    registry.push("ann/chart:1", config_type="application/vnd.cncf.helm.config.v1+json")
    with pytest.raises(BrokenImageError, match=r"ann/chart:1 is no image of a container: .*helm"):
        registry_client().check(image(registry, "ann/chart:1"))


@pytest.mark.needs("docker-registry")
def test_the_password_of_the_file_opens_a_registry_and_only_that(tmp_path: Path) -> None:
    with running_registry(tmp_path / "registry", password=True) as registry:
        digest = registry.push("ann/app:1")
        assert registry_client(registry.auth_file).digest(image(registry)) == digest
        assert registry_client(registry.auth_file).digest(image(registry, "ann/other:1")) is None

        wrong = registry.auth_file_with("wr0ng")
        with pytest.raises(RegistryDeniedError, match=f"refuses ann/app with the credentials in {wrong}") as refused:
            registry_client(wrong).digest(image(registry))
        assert PASSWORD not in str(refused.value)
        assert BASIC not in str(refused.value)

        with pytest.raises(RegistryDeniedError, match=r"wants credentials for ann/app.* DPPCTL_REGISTRY_AUTH_FILE"):
            registry_client().digest(image(registry))


@pytest.mark.needs("docker-registry")
def test_a_password_that_is_changed_while_the_client_lives_is_used(tmp_path: Path) -> None:
    with running_registry(tmp_path / "registry", password=True) as registry:
        digest = registry.push("ann/app:1")
        file = tmp_path / "auth.json"
        file.write_bytes(registry.auth_file_with("old").read_bytes())
        client = registry_client(file)
        with pytest.raises(RegistryDeniedError):
            client.digest(image(registry))
        file.write_bytes(registry.auth_file.read_bytes())
        assert client.digest(image(registry)) == digest


@pytest.mark.needs("docker-registry", "openssl")
def test_a_token_is_got_once_and_used_by_all_threads_until_it_expires(tmp_path: Path) -> None:
    with token_server(tmp_path) as tokens, running_registry(tmp_path / "registry", tokens=tokens) as registry:
        digest = registry.push("ann/app:1")
        client = registry_client(registry.auth_file)
        assert client.digest(image(registry)) == digest
        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(client.digest, [image(registry)] * 40)) == {digest}
        assert client.check(image(registry)) == digest
        assert [request.authorization for request in tokens.asked] == [BASIC]

        tokens.expires_in = 0
        client = registry_client(registry.auth_file)
        assert [client.digest(image(registry)) for _ in range(2)] == [digest] * 2
        assert len(tokens.asked) == 3


@pytest.mark.needs("docker-registry", "openssl")
def test_a_token_for_one_repository_is_not_shown_for_another(tmp_path: Path) -> None:
    with token_server(tmp_path) as tokens, running_registry(tmp_path / "registry", tokens=tokens) as registry:
        client = registry_client(registry.auth_file)
        assert [client.digest(image(registry, name)) for name in ("ann/app:1", "ann/b:1", "ann/app:2")] == [None] * 3
        asked = [parse_qs(urlsplit(request.path).query)["scope"] for request in tokens.asked]
        assert asked == [["repository:ann/app:pull"], ["repository:ann/b:pull"]]


@pytest.mark.needs("docker-registry", "openssl")
def test_a_token_server_says_no_in_one_line(tmp_path: Path) -> None:
    with token_server(tmp_path) as tokens, running_registry(tmp_path / "registry", tokens=tokens) as registry:
        wrong = registry.auth_file_with("wr0ng")
        with pytest.raises(RegistryDeniedError, match=f"refuses ann/app with the credentials in {wrong}"):
            registry_client(wrong).digest(image(registry))
        with pytest.raises(RegistryDeniedError, match="wants credentials for ann/app"):  # its token opens nothing
            registry_client().digest(image(registry))
        assert [request.authorization for request in tokens.asked][1:] == [None]
    with running_registry(tmp_path / "other", tokens=tokens) as registry, pytest.raises(RegistryAwayError) as away:
        registry_client(registry.auth_file).digest(image(registry))
    assert tokens.host in str(away.value)
