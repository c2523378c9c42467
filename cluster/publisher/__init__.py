"""The publisher: takes what runs wrote from their workers, and puts it into the storage with credentials of its own."""
