"""The data contracts, read and written as plain data: no git, no network, no database."""
