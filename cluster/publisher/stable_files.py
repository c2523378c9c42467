"""Files at a deployment's stable addresses, for those who read a bucket without our server: pure.

A package's `datapackage.json` there names its files by their whole addresses in one release, so whoever has read it
reads one version; a site's `index.html` leads to the release.
"""

import html
import json
from urllib.parse import quote, urlsplit


def stable_descriptor(descriptor: bytes, base: str) -> bytes:
    """Return a package's descriptor with its resources' paths below `base`, a URL that ends with a slash.

    One that cannot be read is returned as it is; paths that are URLs stay.
    """
    try:
        found = json.loads(descriptor)
        for resource in found["resources"]:
            path = resource.get("path")
            if isinstance(path, str):
                resource["path"] = _absolute(path, base)
            elif isinstance(path, list):
                resource["path"] = [_absolute(part, base) if isinstance(part, str) else part for part in path]
        return json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return descriptor


def site_redirect(base: str) -> bytes:
    """Return a page that leads to the site at `base`."""
    url = html.escape(base, quote=True)
    text = f'<!doctype html><meta charset="utf-8"><title>…</title><meta http-equiv="refresh" content="0; url={url}">'
    return f'{text}<a href="{url}">{url}</a>\n'.encode()


def public_url(base: str, path: str) -> str:
    """Return the address of a path of the storage, percent-encoded; `base` is the storage's."""
    return f"{base.rstrip('/')}/{quote(path, safe='/+')}"


def _absolute(path: str, base: str) -> str:
    return path if urlsplit(path).scheme else base + quote(path.removeprefix("./"))
