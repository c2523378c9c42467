"""The cluster of one machine: processes where Kubernetes has pods (`clusterProvider: local`)."""
