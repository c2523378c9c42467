"""The sync that runs in a cluster: each environment is a Helm release."""
