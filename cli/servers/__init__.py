"""The servers, wired together from their settings."""
