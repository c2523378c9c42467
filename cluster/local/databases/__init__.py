"""Databases of runs on this machine."""
