"""Runs on a cluster: hands workloads to waiting workers, follows them, and removes what is done with."""
