"""Observe an app's repository, decide what its environments should run, write that to the ops repo."""
