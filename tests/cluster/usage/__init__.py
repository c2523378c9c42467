"""The usage server."""
