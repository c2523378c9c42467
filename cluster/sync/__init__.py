"""Brings environments to what the ops repo says."""
