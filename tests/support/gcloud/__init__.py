"""A small Google Cloud on loopback, for the real gcloud CLI."""
