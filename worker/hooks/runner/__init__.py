"""Runs dpp's own code faster. In dpp's processes this is the package `dppctl_hooks`; it imports nothing but dpp."""
