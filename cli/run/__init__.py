"""What `dppctl run` needs: workloads, archives, reports."""
