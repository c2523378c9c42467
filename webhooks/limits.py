"""The receiver's limits and intervals."""

MAX_BATCH = 100  # deliveries in one transaction: a burst costs a few of them, and none becomes long
MAX_LIVE_PAGES = 8  # of each process: every live page holds a thread, and deliveries need some too
CHANGE_POLL_SECONDS = 0.5  # how late a live page hears of a change; the question costs the store little
COMMENT_SECONDS = 15.0  # something is sent to a live page at least so often: only so is it noticed that it is gone
DASHBOARD_DELIVERIES = 30  # that `/` shows
RECENT_DELIVERIES = 500  # among which a deployment's push is looked for
