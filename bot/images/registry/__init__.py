"""What a registry holds: digests and labels."""
