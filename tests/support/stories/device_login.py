"""A login by a browser, as a person goes through it: `dppctl login` waits, a page is opened, a button pressed."""

import platform
from collections.abc import Callable

from cluster.auth.people import ProvenIdentity
from tests.support.auth import ANN
from tests.support.auth_server import ServedAuth


class Minutes:
    """Time as `dppctl login` and the auth server see it, which passes only while `dppctl login` waits."""

    def __init__(self, auth: ServedAuth, identity: ProvenIdentity = ANN) -> None:
        self._auth, self.slept, self.shown = auth, list[float](), list[str]()
        self.decides: Callable[[int], None] = lambda _: None  # what the person does when it waits for the Nth time
        self._browser = auth.world.browser(auth.world.service.log_in(identity))

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._auth.world.wait(seconds=seconds)
        self.decides(len(self.slept))

    def decide(self, decision: str) -> None:
        """As a person does in a browser: type the code, look at the page, press a button."""
        code = self.shown[0].split()[-1]
        self._browser.get("/auth/device")
        self._browser.post("/auth/device", user_code=code)
        assert f"{platform.node()}, as it says itself" in self._browser.page
        self._browser.post("/auth/device", user_code=code, decision=decision)
