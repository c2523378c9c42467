"""A stand-in for minikube."""

# What minikube 1.3x prints, and its exit code for a cluster that is not there:
# https://minikube.sigs.k8s.io/docs/commands/status/
MINIKUBE = """#!/bin/sh
echo "$@" >> "$0.calls"
case "$1" in
status) [ -e "$0.running" ] || { echo '* Profile "minikube" not found.'; exit 85; }
        echo '{"Name":"minikube","Host":"Running","APIServer":"Running","Kubeconfig":"Configured"}';;
start) [ -e "$0.refuses" ] && { echo 'X Exiting due to DRV_NOT_HEALTHY: no driver' >&2; exit 69; }; touch "$0.running";;
esac
"""
