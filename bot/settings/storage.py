"""Settings about what runs and deployments make public: where it is kept, who puts it there, who shows it."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from bot.settings.runs import Listen
from bot.settings.types import ExistingFile, Port, Section, WebUrl

_OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
# Of rclone, `REMOTE:BUCKET/PATH` with a remote of its configuration; or an absolute folder.
_Remote = Annotated[str, Field(pattern=r"^$|^/[^\x00-\x1f\x7f]*$|^[\w+@][\w.+@ -]*:[^\x00-\x1f\x7f]*$")]


class StorageSettings(Section):
    """The storage server (`dppctl up` has one within it), and the publisher of a cluster."""

    host: str = Field("127.0.0.1", validation_alias="DPPCTL_STORAGE_HOST")
    given_port: Port | None = Field(None, validation_alias="DPPCTL_STORAGE_PORT")  # see Settings.storage_port
    # How people reach it, where that is not http://HOST:PORT: printed URLs begin with it.
    url: WebUrl = Field("", validation_alias="DPPCTL_STORAGE_URL")
    # What `dppctl storage-server` shows: a folder, or the bucket whose public objects are below this URL.
    folder: _OptionalPath = Field(None, validation_alias="DPPCTL_STORAGE_FOLDER")
    bucket_url: WebUrl = Field("", validation_alias="DPPCTL_STORAGE_BUCKET_URL")

    publisher_listen: Listen = Field("127.0.0.1:8094", validation_alias="DPPCTL_PUBLISHER_LISTEN")
    # Where operator and proxy reach it. Left out: the cluster has no storage.
    publisher_url: WebUrl = Field("", validation_alias="DPPCTL_PUBLISHER_URL")
    publisher_token_file: ExistingFile = Field(None, validation_alias="DPPCTL_PUBLISHER_TOKEN_FILE")
    publisher_remote: _Remote = Field("", validation_alias="DPPCTL_PUBLISHER_REMOTE")
    # What it takes from workers until it is in the storage. Left out: `publisher` in the state folder.
    publisher_dir: _OptionalPath = Field(None, validation_alias="DPPCTL_PUBLISHER_DIR")
    # The rclone that has the bucket's credentials: `rclone rcd`.
    rclone_url: WebUrl = Field("http://127.0.0.1:5572", validation_alias="DPPCTL_RCLONE_URL")
    rclone_password_file: ExistingFile = Field(None, validation_alias="DPPCTL_RCLONE_PASSWORD_FILE")
