"""A stand-in for minikube."""

# What minikube 1.3x prints, and its exit code for a cluster that is not there:
# https://minikube.sigs.k8s.io/docs/commands/status/
# With a file `minikube.slow` beside it a start takes until that file is gone.
MINIKUBE = """#!/bin/sh
echo "$@" >> "$0.calls"
case "$1" in
status) [ -s "$0.running" ] || { echo '* Profile "minikube" not found.'; exit 85; }
        echo '{"Name":"minikube","Host":"Running","APIServer":"Running","Kubeconfig":"Configured"}';;
start) echo '* Downloading Kubernetes'
       while [ -e "$0.slow" ]; do sleep 0.05; done
       [ -e "$0.refuses" ] && { echo 'X Exiting due to DRV_NOT_HEALTHY: no driver' >&2; exit 69; }
       echo yes > "$0.running";;
delete) : > "$0.running";;
esac
"""
