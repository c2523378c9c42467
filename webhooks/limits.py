"""The receiver's limits and intervals."""

MAX_BATCH = 100  # deliveries in one transaction: a burst costs a few of them, and none becomes long
CHANGE_POLL_MILLISECONDS = 1000  # how late a live page hears of a change; the question costs a millisecond or two
DASHBOARD_DELIVERIES = 30  # that `/` shows
RECENT_DELIVERIES = 500  # among which a deployment's push is looked for
RECENT_REFUSALS = 500  # of whole `.dppctl.yaml` files, among which the newest of each app is looked for
