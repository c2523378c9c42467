"""Clusters at Kamatera, against a stand-in for its API (tests/support/kamatera.py)."""
