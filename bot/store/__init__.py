"""What the bot remembers: the database, its tables, and one file for each subject."""
