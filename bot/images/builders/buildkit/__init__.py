"""BuildKit on a Kubernetes cluster."""
