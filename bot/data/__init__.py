"""What came out of runs, compared with what came out before and with what is expected. Pure."""
