"""What is made from the auth server's one key: marks of forms and codes, and the encryption of people's own tokens."""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken


class AuthKeys:
    """Several keys out of one, each for its purpose alone, so that one of them says nothing of another."""

    def __init__(self, key: bytes) -> None:
        """Take the key as it is in its file."""
        self._key = key
        self._fernet = Fernet(base64.urlsafe_b64encode(self._derive("encryption of tokens")))

    def login_secret(self) -> bytes:
        """Return what signs the cookie of a login that is under way."""
        return self._derive("cookie of a login")

    def csrf(self, session_hash: str) -> str:
        """Return what the forms of a session carry."""
        return self._mark("csrf", session_hash)

    def code_hash(self, code: str) -> str:
        """Return what a short code is known by: without the key nobody can try all of them."""
        return self._mark("codes", code)

    def encrypt(self, text: str) -> str:
        """Return a text that only who has the key can read."""
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, text: str) -> str | None:
        """Return what was encrypted; None: with another key, or it was changed."""
        try:
            return self._fernet.decrypt(text.encode()).decode()
        except InvalidToken:
            return None

    def _derive(self, purpose: str) -> bytes:
        return hmac.digest(self._key, f"dppctl auth: {purpose}".encode(), "sha256")

    def _mark(self, purpose: str, value: str) -> str:
        return hmac.new(self._derive(purpose), value.encode(), hashlib.sha256).hexdigest()
