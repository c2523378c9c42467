"""Builders: each turns an app's files into an image in a registry."""
