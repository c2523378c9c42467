"""Where a worker runs: dpp's environment or a container."""
