"""Which image an app runs in, looked up or built."""
