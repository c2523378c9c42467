"""The limits and intervals of the commands, together, each with its reason.

What a workload may cost is a person's to set: cli/run/limits.py.
"""

GARBAGE_THRESHOLD = 300_000  # new objects before Python looks for garbage; a server imports 220,000

# Commands that look into the store of running servers.
STORE_POLL_SECONDS = 0.25  # between two looks for a change; as often as the bot looks
REQUEST_SECONDS = 5.0  # that a deployment is asked for in vain, before the person hears that no server may run

PROGRESS_LINE_SECONDS = 5.0  # between two lines that say how many rows there are, where no terminal shows it live

# dppctl run
MAX_TABLE_ROWS = 20  # of the resources that came out, so that the results below are on one screen with them

# dppctl doctor
VERSION_SECONDS = 20.0  # for a program to say its version
SYSTEMD_SECONDS = 60.0  # that systemctl may take, with a server that ends meanwhile
LOW_DISK_BYTES = 2 * 10**9  # dpp's environment takes 0.2 GB, PostgreSQL and the data of a middling job the rest

# dppctl init
PING_SECONDS = 8.0  # until GitHub has sent its ping and has an answer, which most often takes one
PING_POLL_SECONDS = 0.3  # between two looks for it at GitHub's API
GH_SECONDS = 30.0  # for gh to say whether it is logged in, which it asks GitHub
MINIKUBE_START_SECONDS = 900.0  # the first start downloads an image of a gigabyte
MINIKUBE_FAILURE_SECONDS = 8.0  # that its start is waited for, as what is missing on a machine shows at once
MINIKUBE_STATUS_SECONDS = 30.0
KUBECONFIG_LOCK_SECONDS = 5.0  # that kubectl may take to write its file
GCLOUD_SECONDS = 300.0  # for one command of gcloud, which waits for Google
GCLOUD_ACCOUNT_TRIES = 6  # to use an account that was just made: Google says that it takes up to a minute to be known
GCLOUD_ACCOUNT_SECONDS = 10.0  # between two of them

CLUSTER_WAIT_SECONDS = 1800.0  # for a cluster that starts: clouds take five to fifteen minutes
CLUSTER_POLL_SECONDS = 10.0  # between two looks at it; a look takes seconds
RUNS_READY_SECONDS = 300.0  # for operator, proxy and workers to run: images of a gigabyte are pulled first
INIT_BROKEN_SECONDS = 30.0  # that a pod says the same of why it does not start: it does not get better by waiting
INIT_NODE_SECONDS = 240.0  # that a pod has no node on a cluster that grows: a new node takes two or three minutes
INIT_POLL_SECONDS = 0.5  # between two looks at what starts

# dppctl run, of an archive
CONNECT_SECONDS = 10
SILENCE_SECONDS = 30  # between two bytes
PROGRESS_SECONDS = 5  # between two lines that say how much is there
CHUNK_BYTES = 2**18  # of a download, and of a file that is unpacked

# Servers
RECEIVER_WORKERS = 2
RECEIVER_THREADS = 80  # of each worker, made when needed; a client that is slow to send holds one, up to its deadline
RECEIVER_STOP_SECONDS = 2.0  # for what it is answering, before it is killed
ANSWER_SECONDS = 1.0  # that a request to a receiver that starts waits, before it is looked whether all is to stop
STORAGE_SEND_SECONDS = 60  # that a client of the storage server may take nothing, before its connection is closed
BIND_SECONDS = 5.0  # that a port is tried: what was killed a moment ago may still hold it
STORE_SECONDS = 60.0  # that a PostgreSQL is waited for, which may be starting with the server
# What bot and sync do is done after the next start; who supervises dppctl often kills it after 5 or 10 seconds.
UP_STOP_SECONDS = 2.5  # for bot and sync of `dppctl up` together; then the receiver has its turn
BOT_STOP_SECONDS = 3.0
SYNC_STOP_SECONDS = 20.0  # Kubernetes gives 30
PROXY_STOP_SECONDS = 7.0  # for what is being answered, such as an upload; streams end at once
OPERATOR_STOP_SECONDS = 2.0  # there is nothing to finish: runs go on, and the next operator follows them
PUBLISHER_STOP_SECONDS = 2.0  # there is nothing to finish: the next publisher goes on
