"""The publisher's limits and intervals, together, with their reasons."""

MAX_PUBLICATION_BYTES = 5 * 2**30  # that anybody may ask to publish at once; the asker's own limit is mostly less
MAX_PUBLICATION_FILES = 100_000  # each is a call of the bucket's API, and an inode of the scratch volume
MAX_PATH_BYTES = 800  # of a file below its prefix: S3 and GCS take keys of 1,024 bytes
MAX_NAME_BYTES = 255  # of a file or folder: what file systems take
MAX_HEADER_BYTES = 2**16  # of an extended tar header: it holds one name
MAX_ITEMS = 10_000  # data packages and sites: as many as the operator takes from a worker
MAX_REQUEST_BYTES = 8 * 2**20  # of a request to publish: as many items, with long names
RECEIVE_SILENCE_SECONDS = 60.0  # of a worker, or of somebody who uploads
PIECE_BYTES = 2**18  # read at once: what is written to a disk in some milliseconds, for others wait meanwhile
PUBLICATIONS_AT_ONCE = 2  # copied at a time; each has rclone use as much memory again
MAX_KEPT_PUBLICATIONS = 10_000  # that the publisher still answers for: some 20 MB
DAY_SECONDS = 86_400.0  # in which what a person publishes is counted: the usage server counts the same
KEPT_SECONDS = 3_600.0  # that it answers for a publication after its end, and keeps a relayed one's files
SWEEP_SECONDS = 60.0  # between two looks for those that are over that time
RCLONE_SECONDS = 30.0  # for an answer of rclone's, which copies beside it
RCLONE_LOOK_SECONDS = (0.2, 2.0)  # between two looks whether it has copied
RCLONE_TRIES = 6  # with up to 10 s between them: a container that ran out of memory is back by then
COPY_SILENCE_SECONDS = 300.0  # in which rclone copied nothing; it has time limits of its own, this is for a mistake
MAX_LISTINGS = 1_000  # pages for folders of a publication in a bucket
MAX_DESCRIPTOR_BYTES = 16 * 2**20  # of a datapackage.json that is written again for its stable address
EXPIRY_SECONDS = 3_600.0  # between two looks for publications that are older than a public cluster keeps them

# Jobs, which publish without the publisher
STAGED_MAKING_SECONDS = 6 * 3_600.0  # that a release of another Job may be in the making, before it counts as left over
STAGED_TRIES = 5  # to write the pointer, when other Jobs of the same environment write it too
