"""One step of `dppctl init` a file."""
