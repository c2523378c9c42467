"""The limits and intervals of runs on a cluster, as this side has them, each with its reason."""

CONNECT_SECONDS = 10.0  # for a connection with a proxy, which may be far away
ANSWER_SECONDS = 30.0  # for an answer that is no stream: a proxy asks the operator and Kubernetes for it
UPLOAD_SILENCE_SECONDS = 120.0  # after the last byte: the cluster writes up to 256 MiB to a disk, and hashes it
STREAM_SILENCE_SECONDS = 60.0  # without a byte of a stream or terminal: something comes every 20 s
RETRY_SECONDS = 30.0  # that a call is tried again, once the cluster has answered: a proxy that restarts is back by then
RETRY_WAIT_SECONDS = (0.1, 5.0)  # between two tries: at first, and at most
SILENT_SECONDS = 10.0  # that a lost connection is not told: most are back by then
GIVE_UP_SECONDS = 900.0  # without a connection; the run goes on, and a person can come back to it
WAITING_SECONDS = 2.0  # after which a run that waits tells its place in the queue
NEVER_READY_SECONDS = 15.0  # that pods may take to start; a replacement takes 6, and what comes later is told
CHUNK_BYTES = 2**16  # of an upload, and of a stream
MAX_ERROR_BYTES = 2**16  # read of an answer that refuses
MAX_LARGEST_NAMED = 3  # files of a workload that is too large
MAX_ENTRIES = 100_000  # of a workload: the worker unpacks no more (worker/unpack.py)
MAX_UNPACKED_BYTES = 2 * 2**30
POLL_FACTOR = 1.2  # of the interval that an auth server asks for: clocks differ, and too early is answered by slower
SLOW_DOWN_SECONDS = 5.0  # added to it when it says so (https://www.rfc-editor.org/rfc/rfc8628#section-3.5), or is away
AUTH_AWAY_SECONDS = 60.0  # that it may be away while somebody logs in: one that restarts is back by then
PUBLISH_ANSWER_SECONDS = 960.0  # of silence while something is published: the cluster takes at most 900
