"""What GitHub is told and asked besides git: deployments, statuses, lost deliveries; and in whose name."""
