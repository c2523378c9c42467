"""What the cluster's parts raise when there is one clear line to say: what is wrong, where, what to do."""

from bot.errors import DppctlError


class ClusterError(DppctlError):
    """The message is for the user, as it stands."""
