"""How a run's database is reached: PostgreSQL and Adminer in a pod of a pool (charts/dppctl-pipelines).

Its password is made from the pools' key and the pod's own uid, in the pod and here; so it is kept nowhere.
"""

import hashlib
import hmac

from cluster.operator.state import PoolPod

PORT, UI_PORT = 5432, 8080
USER = NAME = "postgres"


def password_of(key: bytes, uid: str) -> str:
    """Return the password of a pod's database."""
    return hmac.new(key, b"db" + uid.encode(), hashlib.sha256).hexdigest()


def engine_of(key: bytes, pod: PoolPod) -> str:
    """Return the URL that pipelines have as DPP_DB_ENGINE."""
    return f"postgresql://{USER}:{password_of(key, pod.uid)}@{_host(pod)}:{PORT}/{NAME}"


def access_to(key: bytes, pod: PoolPod) -> dict[str, str | int]:
    """Return all that somebody needs who may look into the database; `ui`: Adminer's address, or "" without it."""
    return {
        "host": pod.address,
        "port": PORT,
        "user": USER,
        "password": password_of(key, pod.uid),
        "database": NAME,
        "ui": f"http://{_host(pod)}:{UI_PORT}/" if pod.has_ui else "",
    }


def _host(pod: PoolPod) -> str:
    return f"[{pod.address}]" if ":" in pod.address else pod.address
