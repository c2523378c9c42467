"""Limits of the worker, each with its reason."""

# Of a failed pipeline's output: enough for the user's own lines and all exceptions' messages. With the limits below
# an error stays shorter than the 20,000 characters that a report takes (bot/model/reports.py).
ERROR_LINES = 20
ERROR_LINE_CHARACTERS = 500
HEADLINE_CHARACTERS = 1_500  # the first line is what a page, a status and a termination message show

# Of the user's own line that failed, which a page shows with what is around it.
PLACE_LINES_AROUND = 2
PLACE_LINE_CHARACTERS = 200
PLACE_FILE_BYTES = 2**20  # of the file, from its beginning

# Of a workload that comes over HTTP.
WORKLOAD_BYTES = 256 * 1024 * 1024
UPLOAD_PIECE_BYTES = 1024 * 1024  # of it in memory at once
TAR_HEADER_BYTES = 1024 * 1024  # of an entry's long names and attributes, which tarfile reads at once

# dpp itself discards longer lines of its processors; what comes in longer ones is read and cut.
LOG_LINE_BYTES = 1 << 16

# Of a receipt's summary, the container's termination message. The kubelet cuts it at 4096 bytes, and all of a pod's
# containers together at 12 KB, in equal parts (https://kubernetes.io/docs/tasks/debug/debug-application/
# determine-reason-pod-failure/): the chart's pods have up to ten, and a service mesh may add one.
SUMMARY_BYTES = 1_100
SUMMARY_ERROR_CHARACTERS = (600, 300, 150)  # of each pipeline's error in it, as many as fit

# Of the session that tells other runs that this one is alive.
DATABASE_ANSWER_SECONDS = 10.0
DATABASE_TRY_SECONDS = 3.0  # between two tries to have one
DATABASE_HOLD_SECONDS = 120  # that the turn is kept for the next container of the pod
