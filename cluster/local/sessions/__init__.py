"""Records of runs on this machine, and the process that keeps their servers."""
