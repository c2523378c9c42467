"""Runs on a cluster, from a person's machine: everything goes to the cluster's proxy (cluster/runs_api.py)."""
