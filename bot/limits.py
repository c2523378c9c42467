"""The bot's limits, together, so that one look tells what it refuses and how long it waits."""

# GitHub itself sends at most 25 MB (https://docs.github.com/en/webhooks/webhook-events-and-payloads);
# a push event with its 2,048 commits at most stays well below this.
MAX_DELIVERY_BYTES = 5 * 2**20

# Of one repository, by each of the receiver's processes; a person's pushes are a few, a release has some hundred tags.
DELIVERIES_A_MINUTE = 300

MAX_CONFIG_BYTES = 64 * 2**10  # .dppctl.yaml
MAX_PIPELINES = 1_000  # of an app; the largest real one found has 173
MAX_PIPELINE_ID = 200  # characters
MAX_SCHEDULE = 1_000  # characters of a crontab line; one that names every minute, hour, day and month has 400
MAX_RECEIPT_BYTES = 2 * 2**20  # of a receipt as JSON; honest ones of 1,000 pipelines have some 500 KB
MAX_REPORT_BYTES = 5 * 2**20  # of sync: a receipt, and the log's lines since the report before
MAX_ERROR = 20_000  # characters of a pipeline's error
MAX_SHORT_ERROR = 500  # the same, in a receipt that would be too large
MAX_FACTS = 200  # resources of a pipeline, fields of a resource, statistics
MAX_WORD = 500  # characters of a name or a statistic in a receipt
MAX_KNOWN_NAMES = 20  # in the refusal of one that nothing has
MAX_SUMMARY_NAMES = 3  # of tables or columns, in the sentence that says what changed
MAX_VALUES_BYTES = 2**20  # values.auto-updated.yaml: as many pipelines with ids as long, in any script
MAX_REGISTRATION_BYTES = 2 * 2**20  # apps.yaml, which is our own: some 20,000 apps
MAX_CONFIG_ENTRIES = 100  # of each list in .dppctl.yaml
MAX_REF = 201  # characters of a branch's or tag's name; git stops at a file's name of 255 bytes
MAX_TOLD_ACTIONS = 10  # of a .dppctl.yaml, that are told to somebody whose push fits none
MAX_REASON_LINES = 20  # that a delivery says; a repository may hold a hundred apps
MAX_YAML_DEPTH = 100
MAX_YAML_NODES = 200_000  # with aliases written out: 2 s and 100 MB; the largest real spec found has some 10,000
MAX_YAML_ALIASES = 10_000
MAX_VALUES_NODES = 20_000  # of values.auto-updated.yaml, which is not read in a child; 1,000 pipelines have 5,000
MAX_REGISTRATION_NODES = 500_000  # of apps.yaml
MAX_SPEC_BYTES = 5 * 2**20  # one pipeline-spec.yaml

# One look at an app. A budget keeps what one repository holds from taking time and memory of the others' bot.
MAX_REFS = 1_000  # branches and tags, the newest; those that a person still pushes to are among them
MAX_FETCHED_REFS = 50_000  # of a repository; git writes a file for each
MAX_PATHS = 200_000  # files and folders below the app's; the kernel of Linux has 90,000
MAX_LOOK_BYTES = 64 * 2**20  # of listings, commits, tags and files, each file once; honest looks read some 100 KB
MAX_CONFIGS_BYTES = 2**20  # of different .dppctl.yaml, at all branches and tags together; a real one has 1 KB
MAX_SPECS = 1_000  # files; each has a pipeline, and of those there are 1,000 at most
MAX_SPECS_BYTES = 16 * 2**20  # of different specs of an app, together
MAX_PATTERNS = 1_000  # in .dpp_spec_ignore
MAX_REF_BYTES = 256 * 2**10  # a commit or a tag with its message
LOOK_SECONDS = 20.0  # of reading a repository; the budgets above are used up in two
PARSE_CPU_SECONDS = 5  # of reading all specs of an app, or one .dppctl.yaml; real ones take 0.3
PARSE_SECONDS = 60.0  # the same by the clock, on a machine that has much else to do
PARSERS = 2  # processes that parse at the same time; one is kept
PARSER_BYTES = 256 * 2**20  # that the process which parses may have; it begins with 40 MB
KEPT_PARSER_BYTES = 80 * 2**20  # after a text for which it took more it is started anew
MAX_ANSWER_BYTES = 4 * 2**20  # of that process; 1,000 pipelines with long ids in a rare script have 1 MB as JSON

GIT_SECONDS = 120.0  # that a git which reads or writes here may be silent
GIT_SILENCE_SECONDS = 300.0  # the same of a git that talks to a server: what it checks of a large fetch takes a while
GIT_BYTES_A_SECOND = 1000  # less than that counts as silence, where git can tell (over http)
GIT_LISTEN_SECONDS = 5.0  # between two looks whether a git says something
LOOSE_OBJECTS, PACKS = 6_700, 50  # in a copy, until it is tidied up; git's own limits
GC_SECONDS = 300.0  # of tidying up a copy after a fetch
GIT_END_SECONDS = 1.0  # between asking a git to end and killing it
LFS_DAYS = 30  # that such a file is kept after its last use, so that each deployment does not fetch it anew
MAX_SUBMODULES = 100  # of one app, those of its submodules included
MAX_GITMODULES_BYTES = 2**20  # of .gitmodules; Boost, with some 160 submodules, has 20 KB
MAX_DOCKERFILE_BYTES = 2**20
MAX_LINK_BYTES = 4096  # that a symbolic link leads to: Linux' own limit of a path (PATH_MAX)
MAX_EXPORT_BYTES = 20 * 10**9  # of an app's files, of Git LFS' among them; a build has twice as much on the disk
MAX_GIT_OBJECT_BYTES = 64 * 2**20  # one folder's listing: a million files; GitHub's own limit for a file is 100 MB
REGISTRY_SECONDS = 10.0  # for a connection, and for each part of an answer
REGISTRY_LOOKUPS = 8  # parts of an image that are looked for at the same time; an image has up to 127 layers
PUSH_TRIES = 10  # when others push to the ops repo at the same time
MAX_COMMIT_WORDS = 100  # characters of an author's name and of a subject, where a commit by others is named
MAX_WRITTEN = 5_000  # commits of ours that are looked at for those that a crash kept from being noted
RETRY_SECONDS = 1.0  # after a failure of git or the network; twice as long each time, give or take half
MAX_RETRY_SECONDS = 180.0
RETRY_BY_HAND_SECONDS = 5.0  # somebody waits
RETRY_BROKEN_SECONDS = 5.0  # after what nobody foresaw; the log has a traceback each time
REFRESHES = 16  # repositories of one host that are asked at the same time
REFRESH_SECONDS = 10.0  # after which a repository does not count among those any more: it goes on beside them
MOST_REFRESHES = 64  # of one host, those included
WAITING_RECHECKS = 32  # repositories that wait to be asked; with more the clock asks for none: a push waits for them
CALLS_OF_A_LOOK = 2  # that the forge gets of a look at a repository at most: what it has, and a fetch
COPY_SECONDS = 2.0  # that a look waits for a copy that is in use; what refreshes it may take hours
WRITERS = 16  # ops repos that are worked at at the same time
WRITER_SECONDS = 10.0  # after which an ops repo does not count among those any more
MOST_WRITERS = 64  # those included
MAX_KEPT_LOOKS = 500  # of unchanged apps, so that a delivery need not look again to say why nothing is deployed
# A bot that ended without a word is replaced after the sum of these at most.
LEASE_SECONDS = 5.0  # that a bot is taken for alive after it said so
LEASE_RENEW_SECONDS = 1.0  # between two times that it says so, and looks for bots that are not alive any more
START_RECHECKS = 50.0  # repositories a second that are looked at after a start
GITHUB_CALLS_AN_HOUR = (
    5_000  # of one account: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
)
RECHECK_SHARE = 0.5  # of these, that re-checks may plan for; the rest is for pushes
RECHECK_LIMIT = 0.8  # of these, after which re-checks wait
CLOSE_SECONDS = 2.0  # that the end of what runs is waited for; its gits are ended by then
RESYNC_SECONDS = 180.0  # between two re-checks of everything
SYNC_WAKE_SECONDS = 5.0  # for a connection with sync, and for its answer
HTTP_SECONDS = 10.0  # that a probe, or a bot that wakes sync, may take to send its request
STUCK_SECONDS = (
    600.0  # without a round, a git command or a word of one; then the bot says that it is to be started again
)
POLL_SECONDS = 0.25  # between two looks for what the receiver wrote down
MAX_LOG_BYTES = 2**20  # kept of each deployment's log
MAX_NAMED_DELIVERIES = 20  # in one ops commit and one line of the log: the newest, where a burst became one deployment
GONE_TAG_DAYS = 400  # that is known of a tag which is gone: back at its commit it is not new; nightly tags pile up
STORE_ROOM_BYTES = 2**20  # that the disk of SQLite's file must have for /readyz: some hundred deliveries
BUSY_SECONDS = 20.0  # that a process waits for others that use SQLite's file
MAX_TAKEN = 5_000  # deliveries that are read at once, besides those in hand; some may be other bots'
FORGET_SECONDS = 600.0  # between two times that old records are removed
MAX_TREE_RUNS = 50  # deployments of the same files to an environment, the newest, that a gate is decided from
HISTORY_RUNS = 400  # of an environment, the newest, that are kept
HISTORY_DAYS = 365  # that a run is kept
MAX_PROGRESS_EVENTS = 2_000  # of a deployment, the newest: half an hour of one a second
MAX_SCHEDULED_EVENTS = 400  # runs by the clock on a deployment, the newest; as many as the history has
MAX_RUN_RESULTS = 2_000  # pipelines and resources of one run that its history has; the receipt has the others
MAX_FORGOTTEN_RUNS = 500  # that are removed at once
DELIVERY_DAYS = 30  # that a delivery's record is kept; GitHub sends one again for 3 days at most

PROGRAM_END_SECONDS = 2.0  # between asking a program to end and killing it
MAX_PROGRAM_LINE = 2000  # characters; pip and npm print longer ones, but nobody reads them
MAX_PROGRAM_LINES = 400  # that are kept to say why a program failed
MAX_PROGRAM_OUTPUT = 64 * 2**20  # of a stdout that is read as a whole, such as a Helm release's manifest

BUILD_SECONDS = 3600.0  # one image, built and pushed
BUILD_CACHE_BYTES = 20 * 10**9  # of layers and base images
MAX_SHARED_BASES = 16  # base images of one Dockerfile that are unpacked for all apps; others are for its app alone
FULL_DISK_BYTES = 100 * 2**20  # a disk with less, or a twentieth of a small one, is full when a build says that it is
BUILDER_SECONDS = 120.0  # what a builder's program may take besides building, such as for removing images
PROBE_SECONDS = 30.0  # one try whether a builder works
FAILED_RUN_LINES = 20  # of a failed RUN's output
BUILD_START_SECONDS = 300.0  # until a cluster has started a build's pod, pulling BuildKit's image included
KUBERNETES_SECONDS = 10.0  # one call of Kubernetes' API
MAX_LOG_LINE_BYTES = 8 * 2**20  # of a pod's log, in which a pipeline can write anything; what is longer is cut
BASE_IMAGE = "docker.io/library/python:3.12-slim-bookworm"  # of the image that apps without a Dockerfile get
BASE_IMAGE_SECONDS = 60.0  # between two questions to a registry what a base image's tag names now
BUILD_LOG_SECONDS = 0.5  # between two pieces of a build's log
BUILD_PATIENCE_SECONDS = 1800.0  # that a deployment waits for a registry or a disk, before it fails

# GitHub, https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api: 80 calls a minute and 500 an
# hour that create something, at least a second between them; 5,000 calls an hour altogether.
GITHUB_SECONDS = 15  # for a connection, and for each part of an answer
GITHUB_WRITE_SECONDS = 1.0  # between two calls that create something
GITHUB_WRITES_AN_HOUR = 400
GITHUB_LOOKS_AN_HOUR = 2_000  # for lost deliveries, of all repositories together
GITHUB_LIMITED_SECONDS = 60.0  # after a refusal for too many calls that does not say how long
ALERT_POLL_SECONDS = 2.0  # between two looks whether something has changed of which people are to be told
ALERT_LOOK_SECONDS = 600.0  # between two looks that nothing but the clock asks for
ALERT_TITLE = 200  # characters
MAX_ALERT = 2_000
GITHUB_POLL_SECONDS = 1.0  # between two looks for what is to be told
PULL_REQUESTS_SECONDS = 300.0  # between two looks for the pull requests of a repository whose branches have previews
PULL_REQUESTS_REFUSED_SECONDS = 3600.0  # that a repository is left alone after GitHub let us not comment there
COMMENT_DEPLOYMENTS = 20  # of a preview, the newest, of which the last that ended is told on its pull request
COMMENT_PAGES = 10  # of a hundred comments of a pull request, in which ours is looked for
MAX_COMMENT_ROWS = 100  # resources in such a comment; GitHub takes 65,536 characters
MAX_COMMENT_NAMES = 5  # columns of a resource
MAX_COMMENT_ERROR = 4_000  # characters
TELL_DAYS = 3  # that GitHub is told of a deployment after its last change; then it is nobody's news any more
PREVIEWS = 10  # branches of an app that have an environment at the same time; each takes disk, or a release
PREVIEW_DAYS = 14  # after the last push to its branch a preview goes
KEPT_RELEASES = 3  # earlier deployments of an environment of one machine, beside what runs: what disks have room for
MAX_ACT_REASON = 500  # characters of a person's message about an act
MAX_ACT_DEPLOYMENTS = 200  # of an environment, the newest, that acts are decided from
MAX_STATUS = 140  # characters of a status' description
REDELIVER_SECONDS = 600.0  # between two looks for lost deliveries
REDELIVER_HOURS = 24  # older ones are left alone
REDELIVER_TIMES = 2  # that a lost delivery is asked for again
ACCOUNTS_ANSWER_SECONDS = 10  # for an answer of the auth server, which may ask GitHub
ACCOUNT_SECONDS = 30  # that an answer about a token holds: as long a revoked one may be used here
MAX_ACCOUNTS = 10_000  # that are remembered: some 5 MB
MAX_EVENT_TEXT = 500  # characters of each text of an event about use
MAX_EVENT_DETAILS = 20  # of one event
MAX_SPOOL_BYTES = 64 * 2**20  # of events that wait for the usage server: some 200,000; then nothing is done any more
EVENTS_AT_ONCE = 500  # that are sent together
MAX_EVENTS_BYTES = 8 * 2**20  # of these; an honest one has 500 bytes, one of control characters 140 KB
EVENTS_RETRY_SECONDS = (0.5, 30.0)  # between two tries to deliver them: the first, and the longest
SPOOL_LOOK_SECONDS = 5.0  # between two looks for events that an ended process left; its own go at once
USAGE_ANSWER_SECONDS = 10  # for an answer of the usage server
