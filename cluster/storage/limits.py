"""The limits and intervals of the storage and its server, together, each with its reason."""

# The server
CHUNK_BYTES = 2**16  # of a file, between two looks at the connection
GZIP_FROM_BYTES = 1_000  # smaller texts fit into one packet as they are
MAX_GZIP_BYTES = 32 * 2**20  # of a text that is compressed while it is sent: about a second of one processor
POINTER_SECONDS = 1.0  # that a pointer of a folder is remembered: a new version is seen as soon
BUCKET_POINTER_SECONDS = 2.0  # the same of a bucket, where reading it costs a request, and money
MAX_POINTERS = 1_000  # that are remembered: some MB
NEAREST_OWN_PAGES = 3  # folders, upwards, with a 404.html that counts before that of the site: each is a look
SERVER_THREADS = 64  # of the server within another process, each with one request; more wait
THREAD_SECONDS = 5.0  # that a request waits for one of these, before its connection is closed
SILENT_SECONDS = 30.0  # that a connection may be silent, by which a client is cut that sends or takes nothing
BUCKET_CONNECT_SECONDS = 5.0
BUCKET_SILENT_SECONDS = 30.0  # between two bytes of a bucket

# Listings
MAX_LISTED = 1_000  # names of a folder: a page of some 200 kB
MAX_LOOKED_AT = 20_000  # names that are read for that, so that they can be sorted
MAX_DESCRIPTOR_BYTES = 4 * 2**20  # of a datapackage.json that is read; profiles make them long
MAX_SHOWN_RESOURCES = 100
MAX_SHOWN_FIELDS = 500  # of a resource
MAX_SHOWN_TEXT = 10_000  # characters of a description
PREVIEW_ROWS = 20
PREVIEW_COLUMNS = 60
PREVIEW_TEXT = 300  # characters of a cell
PREVIEW_BYTES = 2**17  # of a resource, in which its first rows are looked for
PREVIEW_SECONDS = 2.0  # for all rows of a page; then the rest of the resources are shown without
