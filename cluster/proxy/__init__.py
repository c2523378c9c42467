"""What stands between people and the cluster: an HTTP API for runs, which knows people by tokens and keeps nothing."""
