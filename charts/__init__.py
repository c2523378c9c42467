"""Helm charts that are installed with dppctl: one folder a chart."""
