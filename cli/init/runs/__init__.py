"""`dppctl init PROVIDER --workers N`: what runs on a cluster need there, and what this person needs to reach it."""
