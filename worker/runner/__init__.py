"""Runs one pipeline."""
