"""Measures of dppctl beside plain dpp: `make bench` writes docs/benchmarks.md."""
