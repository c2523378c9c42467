"""Modules for dpp's Python, not for the worker's: a run copies them to a folder that is first on PYTHONPATH."""
