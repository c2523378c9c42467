"""Dockerfiles that are installed with dppctl: one folder an image."""
