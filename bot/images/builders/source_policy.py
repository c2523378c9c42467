"""Which images BuildKit may take with our login: it has one for a whole registry, so it is told by name. Pure.

The format: https://github.com/moby/buildkit/blob/master/sourcepolicy/pb/policy.proto. It counts for what an ONBUILD
asks for, too; of rules that match, the last decides.
"""

from collections.abc import Iterable
from typing import Any

from bot.images.builders.interface import Order


def source_policy(order: Order, hosts: Iterable[str]) -> dict[str, Any]:
    """Return the policy of a build.

    Of `hosts`, for which we have logins, and of the registry that it is pushed to, it gets the images that it may take
    with our login and no others.
    """
    denied = sorted({order.destination.partition("/")[0], *hosts})
    rules = [_rule("DENY", f"{host}/*") for host in denied]
    rules += [_rule("ALLOW", f"{name}{rest}") for name in sorted(order.logins or ()) for rest in (":*", "@*", "/*")]
    return {"rules": rules}


def _rule(action: str, image: str) -> dict[str, Any]:
    return {"action": action, "selector": {"identifier": f"docker-image://{image}"}}
