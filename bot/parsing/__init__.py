"""Reading texts of app repositories in a process of its own, which may run out of time and memory."""
