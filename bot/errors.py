"""What the bot raises when there is one clear line to say: what is wrong, where, what to do."""


class BotError(Exception):
    """The message is for the user, as it stands."""
