"""The receiver of webhooks and the dashboard."""
