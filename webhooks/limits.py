"""The receiver's limits and intervals."""

MAX_BATCH = 100  # deliveries in one transaction: a burst costs a few of them, and none becomes long
CHANGE_POLL_MILLISECONDS = 1000  # how late a live page hears of a change; the question costs a millisecond or two
CHART_RUNS = 50  # that a chart shows
DASHBOARD_DELIVERIES = 30  # that `/` shows
ENVIRONMENT_DEPLOYMENTS = 50  # that an environment's page shows
ENVIRONMENT_REQUESTS = 10  # that it shows of what people asked for
REFUSALS_A_MINUTE = 60  # of acts without a login, from one address, that are written down; more are no person's
ALL_REFUSALS_A_MINUTE = 600  # of them, from all addresses, by each process: some 10 MB of the log an hour
PAGE_DEPLOYMENTS = 50  # of one page of the list
MAX_API_DEPLOYMENTS = 200  # of one answer of the API
MAX_FILTER = 500  # characters, of the name of an app or an environment
MAX_PAGE = 1_000_000  # of a list
RECENT_DELIVERIES = 500  # among which a deployment's push is looked for
RECENT_REFUSALS = 500  # of whole `.dppctl.yaml` files, among which the newest of each app is looked for
HEADER_SECONDS = 10.0  # in which a request's headers must have come; GitHub itself waits 10 for the answer
BODY_SECONDS = 30.0  # and then its body; a delivery has 5 MB at most
DEADLINE_POLL_SECONDS = 0.5  # between two looks for requests whose time is over
MAX_BUCKETS = 10_000  # repositories whose deliveries are counted, in each process
DATA_REQUESTS = 8  # of data at a time, in each process: a tenth of its threads
DATA_WAITING = 8  # more that wait for one of these
DATA_WAIT_SECONDS = 2.0  # at most
DATA_ANSWER_SECONDS = 30.0  # for Datasette to start, or to answer; its questions end after a second
DATA_CHUNK_BYTES = 2**16
SHOWN_ERROR_LINES = 12  # of why a deployment failed, before the rest is folded
