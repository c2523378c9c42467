"""What the images of tests are made of: the files of this machine's Python and of dpp's environment.

No registry is asked for a base. The Python base is busybox and the interpreter that runs the tests, with the
libraries that it is linked to; the image on it has dpp as `ensure_runtime` made it.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

import uv

from cluster.local.workers.dpp_environment import DppEnvironment

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_LIBRARIES = "usr/lib/machine"
_LOADER = re.compile(r"^\s*(/\S*ld-linux\S*) \(0x", re.MULTILINE)
_LIBRARY = re.compile(r"=> (/\S+) \(0x")


def fill_python(root: Path, runtime: DppEnvironment) -> str:
    """Put busybox, Python and pip into the folder; the Dockerfile."""
    busybox = shutil.which("busybox")
    assert busybox, "apt install busybox-static"
    for folder in ("bin", "tmp", "etc/ssl/certs", "usr/local/bin", "usr/local/lib", "root"):
        (root / folder).mkdir(parents=True)
    shutil.copy(busybox, root / "bin" / "busybox")
    for name in subprocess.check_output([busybox, "--list"], text=True).split():
        if not (root / "bin" / name).exists():
            (root / "bin" / name).symlink_to("busybox")
    (root / "tmp").chmod(0o1777)
    (root / "root").chmod(0o700)
    (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    shutil.copy(_CERTIFICATES, root / "etc" / "ssl" / "certs")
    binary = Path(sys.base_prefix, "bin", PYTHON).resolve()
    shutil.copy(binary, root / "usr" / "local" / "bin" / PYTHON)
    for name in ("python3", "python"):
        (root / "usr" / "local" / "bin" / name).symlink_to(PYTHON)
    library = root / "usr" / "local" / "lib" / PYTHON
    unwanted = ("test", "tests", "idlelib", "config-*", "site-packages", "dist-packages", "EXTERNALLY-MANAGED")
    stdlib = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(stdlib, library, symlinks=True, ignore=shutil.ignore_patterns(*unwanted))
    pip = find_spec("pip")
    assert pip
    assert pip.origin
    shutil.copytree(Path(pip.origin).parent, library / "pip")  # where Debian's Python finds it too
    _whole_seconds(library)
    _link(
        root,
        [binary, Path(busybox), Path(uv.find_uv_bin()), *library.rglob("*.so"), *runtime.folder.rglob("*.so")],
        runtime,
    )
    return (
        f"FROM scratch\nCOPY root /\nWORKDIR /app\nENV PATH=/usr/local/bin:/bin LD_LIBRARY_PATH=/{_LIBRARIES} "
        f"SSL_CERT_FILE={_CERTIFICATES} PIP_CERT={_CERTIFICATES}\n"
    )


def fill_dpp(root: Path, runtime: DppEnvironment) -> str:
    """Put dpp into the folder; the Dockerfile."""
    packages = Path("lib") / PYTHON / "site-packages"
    shutil.copytree(runtime.folder / packages, root / packages, symlinks=True)
    _whole_seconds(root / packages)
    (root / "bin").mkdir()
    for name in ("python", "python3", PYTHON):
        (root / "bin" / name).symlink_to("/usr/local/bin/python3")
    (root / "pyvenv.cfg").write_text("home = /usr/local/bin\ninclude-system-site-packages = false\n")
    dpp = root / "bin" / "dpp"
    dpp.write_text("#!/opt/dpp/bin/python\nfrom datapackage_pipelines.cli import cli\ncli()\n")
    dpp.chmod(0o755)
    return "FROM localhost/test-python\nCOPY root /opt/dpp\nENV PATH=/opt/dpp/bin:/usr/local/bin:/bin\n"


def add_program(root: Path, program: Path, folder: Path | None = None) -> None:
    """Put one of the machine's programs and the folder of its parts there; for an image on the Python base."""
    target = root / program.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(program, target)
    parts = []
    if folder:
        shutil.copytree(folder, root / folder.relative_to("/"), symlinks=True)
        parts = [path for path in folder.iterdir() if path.is_file() and not path.is_symlink()]
    _copy_libraries(root, subprocess.run(["ldd", program, *parts], capture_output=True, text=True, check=False).stdout)


def _whole_seconds(folder: Path) -> None:
    """A layer keeps times in whole seconds, rounded; what was compiled at a time before would be compiled anew."""
    for source in folder.rglob("*.py"):
        if not source.is_symlink():
            seconds = int(source.stat().st_mtime)
            os.utime(source, (seconds, seconds))


def _link(root: Path, binaries: list[Path], runtime: DppEnvironment) -> None:
    """Copy the machine's libraries that these need to one folder that everybody may read."""
    answer = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    _copy_libraries(root, answer, str(runtime.folder))


def _copy_libraries(root: Path, answer: str, own: str = "/nowhere") -> None:
    """`answer`: ldd's. `own`: a folder whose libraries come with it, as wheels bring some."""
    needed = {Path(library) for library in _LIBRARY.findall(answer) if not library.startswith(own)}
    (root / _LIBRARIES).mkdir(parents=True, exist_ok=True)
    for library in needed:
        shutil.copy(library, root / _LIBRARIES / library.name)
    for loader in set(_LOADER.findall(answer)):
        (root / loader.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(loader, root / loader.lstrip("/"))
