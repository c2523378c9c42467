"""What the dashboard makes of texts."""

from webhooks.dashboard import links


def test_urls_become_links_and_nothing_else_does() -> None:
    text = (
        'at http://127.0.0.1:8081/a/staging/, from registry.example.org/data/app:1 <b> & https://x.example/?a=1&b="2".'
    )
    linked = links(text)
    assert (
        '<a href="http://127.0.0.1:8081/a/staging/" rel="noopener">http://127.0.0.1:8081/a/staging/</a>, from' in linked
    )
    assert "from registry.example.org/data/app:1 &lt;b&gt; &amp;" in linked
    assert '<a href="https://x.example/?a=1&amp;b=" rel="noopener">' in linked
