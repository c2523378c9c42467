"""The usage examples on a public cluster with real pods: its chart is installed once for all of them."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cli.remote.clusters import read_clusters
from tests.support import seed
from tests.support.cluster import POLL, ClusterImages, Namespace, open_namespace
from tests.support.environment import use_kubeconfig
from tests.support.helm import helm
from tests.support.minikube import as_minikubes, put_minikube
from tests.support.needs import require
from tests.support.seed.examples import serving_committees, site_files
from tests.support.stories.public_release import WITHOUT_VOLUMES, PublicRelease, public_release
from tests.support.waiting import eventually
from tests.support.workloads import write_files

# The chart's databases have no Adminer here: no image of it is in this cluster's registry.
WITHOUT_WEB_UI = {
    "DB Web UI is available at URL": "Open the DB with: dppctl ssh ",
    "System: PostgreSQL, Server: localhost, Username: postgres, Password: WORD": "System: PostgreSQL, Server: N.",
    "Keeping the DB and Web UI running for N hour": "Keeping the DB running for N hour",
}


@pytest.fixture(scope="module")
def lab(
    cluster_images: ClusterImages, dppctl_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PublicRelease]:
    folder = tmp_path_factory.mktemp("lab")
    with open_namespace(folder) as namespace, public_release(namespace, cluster_images, dppctl_image, ["ann"]) as made:
        yield made


@pytest.fixture(scope="module")
def source() -> Iterator[str]:
    host = os.environ.get("DPPCTL_TEST_CLUSTER_HOST")
    require(host, "DPPCTL_TEST_CLUSTER_HOST, this machine's address as the cluster's pods reach it")
    with serving_committees(str(host)) as url:
        yield url


@pytest.fixture
def home(lab: PublicRelease, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to type in, of a person who has just joined the public cluster with a token that is pasted."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    monkeypatch.delenv("DPPCTL_TOKEN", raising=False)
    folder = tmp_path / "app"
    folder.mkdir()
    monkeypatch.chdir(folder)
    said = lab.type("init", "public", "--url", lab.url, stdin=f"{lab.tokens['ann']}\n")
    assert seed.not_said(seed.answer_to(seed.PACKAGES, "dppctl init public"), said) == [], said
    return folder


def test_a_dump_into_a_database_which_stays_and_psql_in_it(lab: PublicRelease, home: Path, source: str) -> None:
    # Without its mistake: all but the first table lack a colon.
    text = re.sub(r"(?m)^( {8}\w+)$", r"\1:", seed.file_of(seed.TO_DB, "pipeline-spec.yaml"))
    spec = yaml.safe_load(text)
    load, dump = spec["dump-to-db"]["pipeline"]
    load["parameters"]["url"] = source
    dump["parameters"]["tables"] = {"kns_committee": dump["parameters"]["tables"]["kns_committee"]}
    write_files(home, {"pipeline-spec.yaml": json.dumps(spec)})
    said = lab.type("run", "./dump-to-db")
    example = seed.answer_to(seed.TO_DB, "dppctl run ./dump-to-db")
    assert seed.not_said(example, said, WITHOUT_WEB_UI) == [], f"{said}\n{lab.namespace.describe()}"
    database = re.search(r"^Assigned DB Pod: (\S+)$", said, re.MULTILINE)
    assert database, said
    rows = lab.typed_into(database[1], "select id, name from kns_committee order by id;\n")
    assert "1 | Finance" in " ".join(rows.split()), rows
    assert "ועדת הכספים" in rows
    lab.type("stop", database[1])
    stopped = f"metadata.name={database[1]}"
    eventually(lambda: not lab.namespace.get("pods", fields=stopped), "the database goes when it is stopped", 180, POLL)


def test_packages_a_site_of_them_and_a_minikube_that_publishes_here(
    lab: PublicRelease,
    home: Path,
    source: str,
    cluster_images: ClusterImages,
    dppctl_image: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three examples, as the second one loads what the first one published, and the third one runs it elsewhere."""
    spec = yaml.safe_load(seed.file_of(seed.PACKAGES, "pipeline-spec.yaml"))
    spec["dump-to-path"]["pipeline"][0]["parameters"]["url"] = source
    write_files(home, {"pipeline-spec.yaml": json.dumps(spec)})
    said = lab.type("run", "./dump-to-path")
    example = seed.answer_to(seed.PACKAGES, "dppctl run ./dump-to-path")
    assert seed.not_said(example, said) == [], f"{said}\n{lab.namespace.describe()}"
    package = re.search(rf"^data/committees > ({re.escape(lab.storage_url)}/\S+/committees/)$", said, re.MULTILINE)
    assert package, said
    assert lab.read(f"{package[1]}datapackage.json").json()["resources"][0]["name"] == "kns_committee"

    write_files(home, site_files(f"{package[1]}datapackage.json"))
    said = lab.type("run", "all")
    example = seed.answer_to(seed.SITE, "dppctl run all")
    assert seed.not_said(example, said) == [], f"{said}\n{lab.namespace.describe()}"
    site = check_site(lab, said)

    # minikube's cluster is a namespace of the same one: its pods read the package by the Service's whole name.
    whole = f"{lab.storage_url}.{lab.namespace.name}"
    write_files(home, site_files(f"{package[1]}datapackage.json".replace(lab.storage_url, whole)))
    with open_namespace(tmp_path) as own:
        begin_minikube(lab, own, cluster_images, dppctl_image, tmp_path, monkeypatch)
        said = lab.type("run")
        example = seed.answer_to(seed.MINIKUBE_PUBLIC, "dppctl run")
        assert seed.not_said(example, said) == [], f"{said}\n{own.describe()}"
        assert check_site(lab, said) != site


def begin_minikube(
    lab: PublicRelease, own: Namespace, images: ClusterImages, image: str, folder: Path, patch: pytest.MonkeyPatch
) -> None:
    """Type the example's `dppctl init minikube-public`, with a stand-in for minikube and real pods."""
    program = put_minikube(folder, patch)
    slow = program.with_name("minikube.slow")
    slow.touch()  # a start takes minutes
    patch.setenv("PATH", f"{helm().parent}{os.pathsep}{os.environ['PATH']}")
    patch.setattr("cli.providers.minikube.MINIKUBE_FAILURE_SECONDS", 0.0)
    patch.setattr("cli.init.clusters.bring_up.CLUSTER_POLL_SECONDS", 0.1)
    use_kubeconfig(patch, as_minikubes(os.environ["KUBECONFIG"], folder))
    small = {**WITHOUT_VOLUMES, "pool": {"resources": {"requests": {"cpu": "10m"}}}}
    write_files(folder, {"minikube.yaml": json.dumps(small)})
    worker = images.push(images.images.dpp, "dpp")
    flags = [f"--namespace={own.name}", f"--image={image}", f"--worker-image={worker}"]
    said = lab.type("init", "minikube-public", f"--public-url={lab.url}", f"--values={folder}/minikube.yaml", *flags)
    assert seed.not_said(seed.answer_to(seed.MINIKUBE_PUBLIC, "dppctl init minikube-public"), said) == [], said
    slow.unlink()
    said = lab.type("init")
    assert said.endswith("dppctl initialization completed successfully\n"), f"{said}\n{own.describe()}"
    known = read_clusters()
    assert (known.current, known.by_name["minikube-public"].publish_to) == ("minikube-public", "public")


def check_site(lab: PublicRelease, said: str) -> str:
    """Look at the site whose address was printed, and return that."""
    shown = re.search(rf"^data/index\.html > ({re.escape(lab.storage_url)}/\S+/)$", said, re.MULTILINE)
    assert shown, said
    page = lab.read(shown[1])
    assert "<h1>Hello World</h1>" in page.text
    assert page.headers["Content-Security-Policy"].startswith("sandbox")
    assert "ועדת הכספים" in lab.read(f"{shown[1]}list.html").content.decode()
    assert lab.read(f"{shown[1]}nowhere").status_code == 404
    return shown[1]
