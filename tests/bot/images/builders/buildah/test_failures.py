"""Each way that a build with buildah ends badly, and the one line that says so."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.images.builders.buildah.builder import Buildah
from bot.images.builders.buildah.failures import failure
from bot.images.builders.interface import BuildError, BuildPutOffError, Order
from bot.process import Ended
from tests.support.builders import BUSYBOX, App, built, free_port
from tests.support.needs import needs
from tests.support.registry import LocalRegistry, running_registry
from tests.support.serving import Reply, serving
from tests.support.token_server import PASSWORD

FAILURES = {
    "FROM scratch\nCOPY busybox\n": "Dockerfile:2: COPY busybox: COPY requires at least one argument",
    "FROM scratch\n\nFOO bar\n": "Dockerfile:3: FOO is no instruction of a Dockerfile",
    "FROM scratch\nENV a\n": "Dockerfile:2: ENV must have two arguments",
    "FROM scratch\nENV a b\nENV c\n": "Dockerfile, one of the lines 2, 3: ENV must have two arguments",
    "FROM a b c\n": "Dockerfile:1: FROM requires either one argument, or three: FROM <source> [as <name>]",
    "": "Dockerfile: there is no FROM, or it names nothing; a Dockerfile begins with FROM IMAGE",
    "FROM ${NOTHING}\n": "Dockerfile: there is no FROM, or it names nothing; a Dockerfile begins with FROM IMAGE",
    "RUN x\n": "Dockerfile: there is no FROM, or it names nothing; a Dockerfile begins with FROM IMAGE",
    "FROM scratch\n\nCOPY nothing.txt /x\n": (
        "Dockerfile:3: COPY nothing.txt /x: there is no nothing.txt in the app's folder, or .dockerignore leaves it out"
    ),
    f"{BUSYBOX}RUN echo one; echo two >&2; \\\n  exit 3\n": (
        "Dockerfile:4: RUN echo one; echo two >&2; exit 3: exit code 3; its last lines:\none\ntwo"
    ),
    f"{BUSYBOX}RUN busybox seq 1 100; false\n": (
        "Dockerfile:4: RUN busybox seq 1 100; false: exit code 1; its last lines:\n"
        + "\n".join(str(number) for number in range(81, 101))
    ),
    "FROM scratch\nCOPY --link busybox /x\n": (
        "Dockerfile:2: buildah VERSION does not know an option of 'COPY --link busybox /x'; use "
        "DPPCTL_BUILDER=docker, or a newer buildah"
    ),
    f"{BUSYBOX}RUN <<EOF\necho hi\nEOF\n": (
        "Dockerfile:4: buildah VERSION does not know here-documents (<<EOF); use DPPCTL_BUILDER=docker, "
        "or a newer buildah"
    ),
    f"{BUSYBOX}RUN --mount=type=secret,id=pip,required=true true\n": (
        "Dockerfile:4: RUN --mount=type=secret,id=pip,required=true true: resolving mountpoints for container "
        "ID: secret required but no secret with id pip found"
    ),
    "FROM scratch\nCOPY --from=REGISTRY/nothing:1 /a /b\n": (
        "there is no image REGISTRY/nothing:1; correct the Dockerfile's FROM or COPY --from"
    ),
    "FROM REGISTRY/nothing:1\n": ("there is no image REGISTRY/nothing:1; correct the Dockerfile's FROM or COPY --from"),
}


@pytest.mark.parametrize("dockerfile", FAILURES)
def test_what_only_another_commit_can_mend(
    buildah: Buildah, registry: LocalRegistry, app: App, dockerfile: str
) -> None:
    with pytest.raises(BuildError) as raised:
        built(buildah, app(dockerfile.replace("REGISTRY", registry.host)))
    told = str(raised.value).replace(registry.host, "REGISTRY")
    told = re.sub(r"buildah [\d.]+", "buildah VERSION", told)
    assert re.sub(r'"[0-9a-f]{64}"', "ID", told) == FAILURES[dockerfile]


def test_a_copy_from_a_registry_that_is_away_puts_the_build_off(buildah: Buildah, app: App) -> None:
    image = f"127.0.0.1:{free_port()}/base:1"
    with pytest.raises(BuildPutOffError, match=f"^cannot get the base image {image}: .* does not answer"):
        built(buildah, app(f"FROM scratch\nCOPY --from={image} /a /b\n"))


def test_a_stage_that_is_not_there(buildah: Buildah, app: App) -> None:
    with pytest.raises(
        BuildError, match=r"^Dockerfile has no stage 'small'; correct the target, or add `FROM … AS sma"
    ):
        built(buildah, app(BUSYBOX, target="small"))


def test_a_dockerfile_that_is_not_there(buildah: Buildah, app: App) -> None:
    order = app(BUSYBOX)
    order.dockerfile.unlink()
    with pytest.raises(BuildError, match=r"^Dockerfile: there is no such file; add it, or name the right one$"):
        built(buildah, order)


def test_a_secret_that_is_not_there_puts_the_build_off(buildah: Buildah, app: App, tmp_path: Path) -> None:
    with pytest.raises(BuildPutOffError, match=r"^build secret pip: .*/token is not a file"):
        built(buildah, app(BUSYBOX, secrets={"pip": tmp_path / "token"}))


@pytest.fixture
@needs("docker-registry", "skopeo")
def private_registry(tmp_path: Path) -> Iterator[LocalRegistry]:
    """It lets in only who has the password."""
    with running_registry(tmp_path / "private", password=True) as registry:
        yield registry


def test_a_registry_that_asks_for_a_login(
    state: Path, private_registry: LocalRegistry, app: App, tmp_path: Path
) -> None:
    host, logins = private_registry.host, tmp_path / "logins.json"
    order = app("FROM scratch\nCOPY busybox /x\n", destination=f"{host}/ann/app:1")
    builder = Buildah(state, auth_file=logins)
    asks = (
        f"cannot push {host}/ann/app:1: the registry {host} asks for a login, or refuses the one it got: "
        "give one that may in the file that DPPCTL_REGISTRY_AUTH_FILE names"
    )
    for text, message in (
        ("{}", asks),
        (private_registry.auth_file_with("wrong").read_text(), asks),
        ("no JSON", f"cannot push {host}/ann/app:1: the file that DPPCTL_REGISTRY_AUTH_FILE names cannot be used"),
    ):
        logins.write_text(text)
        with pytest.raises(BuildPutOffError, match=f"^{re.escape(message)}"):
            built(builder, order)
    logins.write_text(private_registry.auth_file.read_text())
    digest, lines = built(builder, order)
    assert digest.startswith("sha256:")
    assert PASSWORD not in "\n".join(lines)


def test_a_login_is_used_for_base_images_too(state: Path, private_registry: LocalRegistry, app: App) -> None:
    order = app(f"FROM {private_registry.host}/ann/nothing:1\n")
    logins = private_registry.auth_file
    with pytest.raises(BuildError, match=r"^there is no image"):
        built(Buildah(state, auth_file=logins), order)
    with pytest.raises(BuildPutOffError, match=r"^cannot get the base image .* asks for a login"):
        built(Buildah(state), order)


def test_a_full_disk_puts_the_build_off(tmp_path: Path) -> None:
    """In the words of buildah 1.28 on a disk of 3 MB."""
    words = 'Error: building at STEP "COPY a /b": copier: put: error writing "/b": write /b: no space left on device'
    order = Order(context=tmp_path, dockerfile=tmp_path / "Dockerfile", destination="localhost/x:1")
    found = failure(Ended(1, [words]), order, "FROM scratch\n", "1.28.2")
    assert isinstance(found, BuildPutOffError)
    assert "no space left on the disk" in str(found)


@pytest.mark.parametrize(
    "step",
    [
        "echo No space left on device; false",
        "echo 'target \"a\" was not found'; false",
        "echo 'Unknown instruction: \"A\"'; false",
        "echo 401 unauthorized; false",
    ],
)
def test_what_a_run_says_of_itself_is_not_believed(buildah: Buildah, app: App, step: str) -> None:
    with pytest.raises(BuildError, match=rf"^Dockerfile:4: RUN {re.escape(step)}: exit code 1; its last lines:\n"):
        built(buildah, app(f"{BUSYBOX}RUN {step}\n"))


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (403, BuildError, "it answers 403; correct the URL"),
        (404, BuildError, "it answers 404; correct the URL"),
        (401, BuildError, "it answers 401; correct the URL"),
        (503, BuildPutOffError, "answers 503"),
    ],
)
def test_a_url_of_add_that_refuses_is_told_by_its_own_name(
    buildah: Buildah, app: App, status: int, error: type[Exception], words: str
) -> None:
    with serving(lambda _: Reply(status)) as host, pytest.raises(error) as raised:
        built(buildah, app(f"{BUSYBOX}ADD http://{host}/data.csv?key=s3cret /data.csv\n"))
    assert str(raised.value) == f"Dockerfile:4: cannot get http://{host}/data.csv, which ADD names: {words}"


def test_a_url_of_add_that_does_not_answer_is_waited_for(buildah: Buildah, app: App) -> None:
    url = f"http://127.0.0.1:{free_port()}/data.csv"
    with pytest.raises(BuildPutOffError, match=rf"^Dockerfile:4: cannot get {url}, which ADD names: .*refused"):
        built(buildah, app(f"{BUSYBOX}ADD {url} /data.csv\n"))


def test_a_shift_and_a_quoted_word_are_no_here_documents(buildah: Buildah, app: App, registry: LocalRegistry) -> None:
    steps = 'RUN n=3 && echo "<<EOF" $((1 <<n ))\n'
    _, lines = built(buildah, app(f"{BUSYBOX}{steps}", destination=f"{registry.host}/shift:1"))
    assert "<<EOF 8" in lines
