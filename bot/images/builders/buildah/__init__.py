"""buildah."""
