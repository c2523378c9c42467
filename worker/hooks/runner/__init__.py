"""Runs pipelines, by dpp's own code, faster than dpp. In dpp's processes this is the package `dppctl_hooks`."""
