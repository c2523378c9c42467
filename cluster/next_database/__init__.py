"""Runs on a cluster work on a copy of the environment's database, which then becomes current at once or not at all."""
