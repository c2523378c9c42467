"""What happens between a push and a deployed pipeline."""
