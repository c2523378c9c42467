"""What runs publish, served on this machine."""
