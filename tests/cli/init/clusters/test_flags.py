"""Flags that are a provider's settings."""

import pytest

from cli.errors import InputError
from cli.init.clusters.flags import check_settings


def test_a_provider_has_its_own_flags() -> None:
    check_settings({"minikubePublicUrl": "https://public.example.org"}, "minikube-public")
    check_settings({"gcloudZone": "us-central1-a"}, "gcloud")


@pytest.mark.parametrize(
    ("key", "provider", "said"),
    [
        ("minikubePublicUrl", "minikube", "--public-url is for minikube-public, and this is minikube; leave it out"),
        ("gcloudZone", "kamatera", "--gcloud-zone is for gcloud, and this is kamatera; leave it out"),
    ],
)
def test_a_flag_of_another_provider_is_refused(key: str, provider: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        check_settings({key: "x"}, provider)
    assert str(raised.value) == said
