"""What the cluster's parts raise when there is one clear line to say: what is wrong, where, what to do."""


class ClusterError(Exception):
    """The message is for the user, as it stands."""
