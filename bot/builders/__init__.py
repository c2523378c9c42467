"""Builders: each turns an app's files into an image in a registry. One file a builder, one line in `choose.py`."""
