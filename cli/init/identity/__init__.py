"""In whose name the bot works."""
