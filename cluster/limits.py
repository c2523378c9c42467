"""The cluster's limits and intervals, together, so that one look tells what it refuses and how long it waits.

Constants only: each `dppctl run` imports them.
"""

# Both syncs
SYNC_POLL_SECONDS = 15.0  # between two looks without a wake: for foreign commits, and what people do in the cluster
SYNC_RETRY_SECONDS = 15.0  # after a failure that may pass by itself; twice as long each time, give or take half
MAX_SYNC_RETRY_SECONDS = 120.0  # so that what was away for long is noticed soon after it is back
SYNC_STOP_SECONDS = 30.0  # that jobs may take to end when sync does; the next start goes on where they were
REPORT_SECONDS = 10  # for a connection with the receiver, and for its answer
REPORT_TRIES = 6  # with up to 5 s between them: a receiver that restarts is back by then
MAX_REPORT_MESSAGE = 10_000  # characters
MAX_REPORT_LOG = 100_000  # characters of one report
PROGRESS_SECONDS = 1.0  # between two reports of progress: people read no faster
MAX_PROGRESS_LINES = 2_000  # of a log that wait to be reported; a log that is longer loses its oldest lines

# Sync on one machine
DATABASE_PAGES = 5_000  # of a database, copied between two looks whether to go on: 20 MB at the usual size of a page
LONG_DEPLOYMENT_SECONDS = 1800.0  # after which a deployment is not one of those at a time: others go on beside it
MOST_DEPLOYMENTS = 4  # times as many as that, those included
WAITING_WORKERS = 2  # at a time: each holds some 65 MB, which it shares with nobody
WAITING_WORKER_SECONDS = 600.0  # without a deployment; the next one begins a second later

# The pages of what is in the databases of one machine
DATA_QUERY_MILLISECONDS = 1_000  # of one question to a database
DATA_ROWS = 1_000  # of one answer; a table as CSV is sent in as many pieces as it needs
DATA_CSV_MEGABYTES = 1_024  # of a table as CSV
DATA_VALUE_BYTES = 2**20  # of one value: a longer one cannot be shown, nor made by a question
DATA_MEMORY_BYTES = 2**30  # of addresses, of the one process for all environments; it takes some 70 MB
DATA_IDLE_SECONDS = 600.0  # without a question; it is started anew in a second
DATA_RESTART_SECONDS = 1.0  # after it broke
DATA_TABLES = 500  # of a database, that an environment's page names

# Sync in a cluster
DRIFT_CHECKS = 2  # at a time: each reads all objects of a release
FOREIGN_HELM_TIMES = 2.5  # of helm's own limit, that somebody else's helm may take before it counts as killed
HELM_TURN_SECONDS = 0.5  # between two looks whether to go on waiting for helm's turn
HELM_STOP_SECONDS = 10.0  # in which helm ends what it does and rolls back, if it can, before it is killed
HELM_END_SECONDS = 30.0  # more than helm's own time limit, before it is ended from outside
HELM_TRY_SECONDS = (5.0, 20.0, 60.0)  # before what helm failed at is tried again, when it was not the objects' fault
HELM_ASK_SECONDS = 60.0  # for what changes nothing
MAX_HELM_LINES = 12  # of helm's error: templates' errors are long, and their end says nothing
CHARTS_KEPT = 20  # as folders; others are read from the ops repo again
MAX_PEOPLES_VALUES_BYTES = 2**20  # values.yaml, which people write, may be long
MAX_OUTCOME_BYTES = 900_000  # a ConfigMap holds 1 MiB: https://kubernetes.io/docs/concepts/configuration/configmap/
MAX_BASELINE_BYTES = 100_000  # beside it: what the next data is compared with, resources with rows and columns
LEASE_RENEW_SECONDS = 5.0  # between two renewals of the Lease, so that three may fail
LEASE_DEADLINE_SECONDS = 20.0  # without a renewal; then its holder stops what it does
LEASE_SECONDS = (
    45  # without a renewal; then another may take it: the holder has stopped, a helm that is killed included
)
LEASE_POLL_SECONDS = 2.0  # between two looks whether it is free
LEASE_WATCH_SECONDS = 0.5  # between two looks whether it is lost
JOB_START_SECONDS = 300.0  # that an image or a Secret may be missing, before the deployment fails
JOB_LOOK_SECONDS = (0.5, 5.0)  # between two looks at a Job, of two calls each; less often while nothing is new
EVENTS_SECONDS = 5.0  # between two looks why pods are refused, while helm waits for them, or a Job has none
LOG_IDLE_SECONDS = 30.0  # without a line; then the log is opened anew, for the connection may be dead
LOG_AWAY_SECONDS = 60.0  # that a log may be away after its Job's end; then the pod's status has to do
LOG_POSITION_SECONDS = 10.0  # of a Job's log that a kill makes sync report again, at most
MAX_EVENT_BYTES = 64 * 2**20  # of a worker on this machine; the last one has the receipt, shortened when it is read
MAX_TOLD_NAME, MAX_TOLD_LINE = 1_000, 2_000  # characters of a name, and of a line of the log, that a worker tells
MAX_TOLD_EVENTS = 10_000  # besides lines of the log, that wait to be reported; 1,000 pipelines have some 3,000
# From the end of a Job's log, where the receipt is looked for. containerd cuts lines in pieces of 16 KB, which the
# kubelet counts: these hold a receipt of 6 MB.
MAX_RECEIPT_LINES = 400
MAX_WRITTEN_ITEMS = 10_000  # data packages that one run publishes: some 2 MB of its events
MAX_WRITTEN_PATH = 1_000  # characters of the path of one; a URL has some 2,000
SYNC_STUCK_SECONDS = 900.0  # without a pass; the longest of what it waits for, a git that is silent, ends after 300 s
MAX_WAKE_BYTES = 2**16  # of a request's body, which is read and not used

# Sessions, databases and storage of one machine
SESSION_END_SECONDS = 5.0  # that processes of a session may take to end before they are killed
SESSION_MAKING_SECONDS = 60.0  # after which a folder without a record is no longer being made by somebody
SUPERVISOR_END_SECONDS = 3.0  # that a supervisor may take to end, when its run could not be set up
SUPERVISOR_SLEEP_SECONDS = 3600.0  # at once; the system cannot count months
PS_SECONDS = 10.0  # for `ps`, which says when a process began where there is no /proc
PROCESS_POLL_SECONDS = 0.02  # between two looks whether a process that is no child of ours has ended
POSTGRES_START_SECONDS = 60.0  # on a slow disk
POSTGRES_START_TRIES = 3  # somebody may take the port that was free a moment ago
SQLITE_BUSY_SECONDS = 0.5  # that somebody else may hold a database which is tidied at the end
WEB_UI_START_SECONDS = 5.0  # PHP's own server
DATABASE_ASK_SECONDS = 10.0  # for what PostgreSQL's and PHP's programs say of themselves
DATABASE_CONNECT_SECONDS = 15.0  # for a connection with a database that the user named
# Runs of an environment take turns at its database on a cluster.
DATABASE_CLAIM_SECONDS = 120.0  # that a run counts as alive without a session, as while an image is fetched
DATABASE_DEAD_SECONDS = 60.0  # without a session after that, as another run sees it: a busy node needs some time
DATABASE_LOOK_SECONDS = 2.0  # between two looks whether it is a run's turn
DATABASE_SWITCH_TRIES = 6  # of five seconds each (PostgreSQL's own), while people connect again and again
DATABASE_TERMINATE_SECONDS = 0.05  # between two rounds that end people's sessions, meanwhile
POINTER_SECONDS = 15.0  # that a storage may take to make files current in the switch, as those who read wait for it
# Of the lines that say what is not as expected: a container's part of what a pod may say (worker/limits.py).
MAX_VIOLATION_BYTES = 1_100
PODMAN_END_SECONDS = 1.0  # between asking podman to end and killing it: it has nothing to save
DPP_INSTALL_SILENCE_SECONDS = 600.0  # without a line of uv's: a big wheel on a slow line, a package that is compiled
WORKLOAD_ENVIRONMENT_SECONDS = 3 * 86400.0  # without use, of one with a workload's files: longer than runs take
ENVIRONMENT_IN_USE_SECONDS = 86400.0  # after the last start of something in it, that a run may go on
DPP_LOCK_POLL_SECONDS = 0.1  # between two looks whether another run has set up dpp's environment

# Runs on a cluster
MAX_WAITING_SECONDS = 86_400.0  # that a worker waits for a run before another one takes its place
OPERATOR_CALLS = 16  # of Kubernetes' API at the same time
OPERATOR_LIST_SECONDS = 30.0  # between two listings; the watch tells sooner, and not everything
OPERATOR_STUCK_SECONDS = 60.0  # without a round
RUN_GRACE_SECONDS = 60  # after its time limit, in which the operator ends a run; then the kubelet does
NODE_LOST_SECONDS = 30.0  # that a pod may be there after it should have ended: then its node does not answer
WORKER_SECONDS = 10.0  # that a worker may take to answer
HAND_OVER_SECONDS = 30.0  # from the assignment to the start of the run
WORKER_RETRY_SECONDS = 1.0  # between two tries to reach a worker
POOL_BROKEN_SECONDS = (
    20.0  # that a worker's image may fail before runs that wait for it are told: a registry may hiccup
)
POOL_SECONDS = 120.0  # that helm may take to make a pool, whose pods it does not wait for, or to remove it
POOL_RETRY_SECONDS = 5.0  # after a pool could not be made
SCHEDULE_LATE_SECONDS = 300.0  # that a run by the clock may begin late: an operator that is replaced takes a minute
PUBLISH_SECONDS = 900  # that a run's publication may take, beside its own time limit: 5 GiB at 6 MB/s
PUBLISH_LOOK_SECONDS = 0.5  # between two looks whether the publisher is done
PUBLISHER_ANSWER_SECONDS = 15.0  # for its answer; it copies beside that
PUBLISHER_AWAY_SECONDS = 120.0  # without an answer: one that is started again is back by then
MAX_PUBLISHED_BYTES = 5 * 2**30  # of one run; the publisher takes no more either
STATUS_SECONDS = 1.0  # between two changes of a run's status
MAX_RUN_EVENTS_BYTES = 10 * 2**20  # kept of a run's events; after that no lines of logs and no progress
MAX_RUN_RESULTS_BYTES = 32 * 2**20  # more, of all others; 1,000 pipelines have some 5 MB with the receipt
MAX_RUN_EVENT_BYTES = 16 * 2**20  # of one event; the largest has the receipt
MAX_WORKER_ANSWER_BYTES = 2**16  # of a worker's answer that is no stream: some 100 bytes
OPERATOR_BROKEN_SECONDS = 5.0  # after what nobody foresaw of a run; it holds up no other
EVENTS_PIECE_BYTES = 2**18  # of a run's events, read at once for somebody who follows it
STREAM_SILENCE_SECONDS = 20.0  # after which a stream has an empty line: proxies end those that are silent for 60 s
RUN_SEEN_SECONDS = 10.0  # that a run which somebody follows may take to be seen, after its creation
UPLOAD_SILENCE_SECONDS = 60.0  # of somebody who uploads a workload
UNUSED_WORKLOAD_SECONDS = 86_400.0  # that a workload stays which no run names: its run may be asked for any moment
NEAR_PLACES = 5  # in a queue, of which each is told; 200 that wait would take 20,000 calls if all were
MAX_STATUS_MESSAGE = 1_000  # characters
MAX_STATUS_PIPELINES = 100
MAX_WORKLOAD_BYTES = 256 * 2**20  # a tar.gz of a workload's files; the worker takes no more either

# The proxy
PROXY_CALLS = 16  # of Kubernetes' API at the same time
PROXY_RETRY_SECONDS = 2  # after which somebody may ask again, when the operator or the cluster is away
PROXY_IDLE_SECONDS = 75.0  # of a connection without a request, or with half of one
PROXY_STOP_SECONDS = 5.0  # that answers, such as to uploads, may take when it is to end; streams end at once
OPERATOR_ANSWER_SECONDS = 15.0  # for an answer; it waits 10 s itself for a run that it has not seen
OPERATOR_SILENCE_SECONDS = 60.0  # of a stream of events, which has an empty line each 20 s
REQUEST_SECONDS = 30.0  # that the body of a request for a run may take to come
MAX_REQUEST_BYTES = 2 * 2**20  # of that body: 1,000 pipelines with long ids, each character escaped
UPLOAD_TOKEN_SECONDS = 900  # in which an upload of a publication has to begin
UPLOAD_SECONDS = 3600.0  # for all of it: the largest at 75 kB/s
MAX_TOKENS_BYTES = 2**20  # of the tokens' file: a few thousand; a Secret holds no more
WRONG_TOKENS, WRONG_TOKENS_SECONDS = 20, 60.0  # from one address in that time; then 429
UNKNOWN_TOKENS_A_SECOND = 20  # that the auth server is asked about for addresses with too many wrong ones: it takes 200
AUTH_CALLS = 8  # of the auth server at the same time
AUTH_SECONDS = 15.0  # until its answer, the wait for those before included
TOKEN_CHECK_SECONDS = 20.0  # between two looks whether the token of a stream or a terminal still holds
MAX_REFUSED_ADDRESSES = 10_000  # that are remembered; with 20 times each some 5 MB
MAX_RESTORED = 20  # ops commits, the newest, that went back to a release and are known to be of it
EXEC_START_SECONDS = 15.0  # that a terminal may take to open
EXEC_HEARTBEAT_SECONDS = 20.0  # between two pings of a terminal: proxies end what is silent for 60 s
MAX_EXEC_COMMAND = 6_000  # characters; a line of HTTP has 8,190
MAX_EXEC_MESSAGE_BYTES = 2**20  # of a person's input at once
MAX_TICKET_SECONDS = 86_400  # that an address of a database's pages holds; the database may be gone sooner
DATABASE_PAGE_SECONDS = 300.0  # that a database may take for what somebody asks in its pages
MAX_DATABASE_PAGE_BYTES = 2 * 2**20  # of a form there; as of other requests

# Usage
MAX_LIMITS_BYTES = 2**20  # of the file of limits and bans: some thousand people
RESERVATION_SECONDS = 60.0  # that a place waits for its run to be seen: the proxy creates it at once
LIMIT_GRACE_SECONDS = 60  # after a limit, in which the usage server ends a run and says why; then the operator does
USAGE_DAYS = 400  # that events and what runs used are kept: a year, and some days to look at it
LIMITS_HELD_SECONDS = 1.0  # that limits and bans are remembered; a changed file holds as soon
MAX_REPORT_RUNS = 10_000  # of one report: some 3 MB
MAX_EVENTS_AT_ONCE = 1_000  # in one delivery; the sender takes 500
MAX_USAGE_BYTES = 16 * 2**20  # of a request: twice what is sent at once (bot/limits.py)
USAGE_SECONDS = 10.0  # for an answer of the usage server to a proxy
USAGE_ALLOWANCE_SECONDS = 2.0  # the same about what somebody may do, for which each call of theirs waits
ALLOWANCE_SECONDS = 30.0  # that such an answer holds
ALLOWANCE_AWAY_SECONDS = 5.0  # that the last one holds while there is none, before it is asked for again
MAX_ALLOWANCES = 10_000  # people, each at an address, that are remembered: some 5 MB
NOTICE_SHARE = 0.8  # of a limit, at which its user is told in the run's stream
USAGE_ROUND_SECONDS = 10.0  # between two looks at all runs: for limits, for phases, for places that are left over
USAGE_STUCK_SECONDS = 120.0  # without a round; then the usage server says that it is to be started again
FORGET_EVENTS_SECONDS = 3600.0  # between two times that what is too old is removed
UNKNOWN_EVENTS_A_MINUTE = 300  # of requests without a right token, that are logged at the usage server
REFUSED_CALLS_SECONDS = 1.0  # between two calls of a user over the limit that are logged

# The page of a public cluster shows limits that are at most so old, and nobody makes it anew by asking for it.
LANDING_SECONDS = 60.0
