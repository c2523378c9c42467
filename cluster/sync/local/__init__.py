"""Sync on one machine."""
