"""Where this machine reaches what listens."""

import pytest

from bot.page_hosts import local_http_url


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),  # Python listens there on IPv6 alone
        ("::1", "http://[::1]:80"),
        ("10.1.2.3", "http://10.1.2.3:80"),
    ],
)
def test_all_addresses_of_a_machine_are_reached_by_its_loopback(host: str, url: str) -> None:
    assert local_http_url(host, 80) == url
