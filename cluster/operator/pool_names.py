"""What pools are called that nobody gave a name: of an image, and of an app's environment. Pure."""

from hashlib import sha256

from bot.model.names import RepoPath
from bot.model.registration import Target
from cluster.sync.helm.desired import release_name


def pool_of_image(image: str) -> str:
    """Return the name of the pool that the operator makes for an image, and of its release."""
    return f"image-{sha256(image.encode()).hexdigest()[:12]}"


def pool_of_environment(app: RepoPath, environment: str) -> str:
    """Return the name of the pool that sync deploys with `workers.enabled` of an app's environment.

    It is that of its release, unless `workers.pool` gives it another one. No ops repo makes a difference.
    """
    return release_name(Target(app, app, environment))
