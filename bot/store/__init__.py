"""What the bot remembers: one database, its tables, and a class for each subject that reads and writes them."""
