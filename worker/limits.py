"""Limits of the worker, each with its reason."""

# Of a failed pipeline's output: enough for the user's own lines and all exceptions' messages. With the limits below
# an error stays shorter than the 20,000 characters that a report takes (bot/model/reports.py).
ERROR_LINES = 20
ERROR_LINE_CHARACTERS = 500
HEADLINE_CHARACTERS = 1_500  # the first line is what a page, a status and a termination message show

# dpp itself discards longer lines of its processors; what comes in longer ones is read and cut.
LOG_LINE_BYTES = 1 << 16
