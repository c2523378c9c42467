"""What the commands raise when there is one clear line to say and nothing to trace back."""

from bot.errors import PermanentError


class InputError(PermanentError):
    """Wrong use or input: the message says what, where and what to do. Exit code 2."""
