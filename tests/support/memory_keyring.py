"""A keyring of the test's process."""

from keyring.backend import KeyringBackend


class MemoryKeyring(KeyringBackend):
    """A keyring as a desktop has one; machines that run tests have none."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password
