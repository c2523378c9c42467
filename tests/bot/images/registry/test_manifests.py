"""Only a manifest has a digest, whatever a server answers with."""

import pytest

from bot.images.registry.errors import RegistryAwayError, RegistryError
from tests.support.registry_answers import DIGEST, IMAGE, IMAGE_DIGEST, LOGIN_PAGE, MANIFEST, TYPE, app
from tests.support.registry_answers import client as registry_client
from tests.support.serving import Reply, Request, serving


@pytest.mark.parametrize("headers", [{}, {"Docker-Content-Digest": "sha256:nonsense"}])
def test_a_registry_that_does_not_tell_the_digest_has_its_bytes_hashed(headers: dict[str, str]) -> None:
    with serving(lambda _: Reply(200, {**TYPE, **headers}, MANIFEST)) as host:
        assert registry_client().digest(app(host)) == DIGEST


def test_what_is_no_registry_is_an_error_in_one_line() -> None:
    with serving(lambda _: Reply(400)) as host, pytest.raises(RegistryError, match=r"answers 400 .* is it a registry"):
        registry_client().digest(app(host))


def test_content_that_is_not_what_was_asked_for_is_not_believed() -> None:
    with serving(lambda _: Reply(200, TYPE, b'{"config": {}}')) as host:
        for look in (registry_client().check, registry_client().digest):
            with pytest.raises(RegistryError, match="something else"):
                look(app(host).with_digest(DIGEST))
            with pytest.raises(RegistryError, match=r"cannot be read: config\.digest"):
                look(app(host))
    lie = Reply(200, {**TYPE, "Docker-Content-Digest": f"sha256:{'0' * 64}"}, MANIFEST)
    with serving(lambda _: lie) as host, pytest.raises(RegistryError, match="something else than sha256:0000"):
        registry_client().check(app(host))


@pytest.mark.parametrize(
    "page",
    [
        LOGIN_PAGE,
        Reply(200, {**LOGIN_PAGE.headers, "Docker-Content-Digest": DIGEST}, LOGIN_PAGE.body),
        Reply(200, {}, MANIFEST),
        Reply(200, {"Content-Type": "application/json"}, b'{"ok": true}'),
        Reply(200, {"Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}, b"{}"),
    ],
)
def test_what_is_no_manifest_has_no_digest(page: Reply) -> None:
    with serving(lambda _: page) as host:
        for look in (registry_client().digest, registry_client().check):
            with pytest.raises(RegistryAwayError, match=rf"^{host} answers for {host}/ann/app:1 with .*login page"):
                look(app(host))


def test_a_redirect_to_a_login_page_has_no_digest() -> None:
    with serving(lambda _: LOGIN_PAGE) as elsewhere:
        reply = Reply(302, {"Location": f"http://{elsewhere}/login"})
        with serving(lambda _: reply) as host, pytest.raises(RegistryError, match="text/html"):
            registry_client().digest(app(host))


def test_an_html_page_that_calls_itself_a_manifest_is_none() -> None:
    with serving(lambda _: Reply(200, TYPE, LOGIN_PAGE.body)) as host, pytest.raises(RegistryError, match="no JSON"):
        registry_client().check(app(host))


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    endless = Reply(200, TYPE, b" " * (4 * 2**20 + 1))
    with serving(lambda _: endless) as host, pytest.raises(RegistryError, match="4 MB"):
        registry_client().check(app(host))


@pytest.mark.parametrize("status", [405, 501])
def test_a_registry_without_head_is_asked_by_get(status: int) -> None:
    asked: list[str] = []

    def registry(request: Request) -> Reply:
        asked.append(f"{request.method} {request.path.rsplit('/', 2)[1]}")
        if request.method == "HEAD":
            return Reply(status)
        return Reply(200, TYPE, IMAGE) if "/manifests/" in request.path else Reply(200, body=b" " * 2**16)

    with serving(registry) as host:
        assert registry_client().digest(app(host)) == IMAGE_DIGEST
        assert asked == ["HEAD manifests", "GET manifests"]
        assert registry_client().check(app(host)) == IMAGE_DIGEST
        assert asked[-2:] == ["HEAD blobs", "GET blobs"]


def test_a_blob_that_is_kept_elsewhere_is_there_though_nobody_follows() -> None:
    def registry(request: Request) -> Reply:
        if "/manifests/" in request.path:
            return Reply(200, TYPE, IMAGE)
        return Reply(307, {"Location": "https://storage.invalid/?signature=for+GET+only"})

    with serving(registry) as host:
        assert registry_client().check(app(host)) == IMAGE_DIGEST
