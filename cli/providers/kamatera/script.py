"""The script that makes a server a cluster, and what it makes: k3s (https://docs.k3s.io) at a pinned version.

**How dppctl knows the machine.** A new machine's ssh host key is known to nobody, and what asks for a cluster's
credentials must not ask a stranger. So the machine gets its host key with the script, over Kamatera's API (https): the
key is made here, for this server only, and dppctl connects to whoever has it and to nobody else. Kamatera sees it, as
they see the machine's disk. Until the script has put it there, a connection ends before anything is said.
"""

from importlib.resources import files

from cli.providers.kamatera.record import SshKeys

# https://github.com/k3s-io/k3s/releases/tag/v1.36.5%2Bk3s1: sha256sum-amd64.txt there has the first; the second is of
# install.sh at that tag. Kamatera's servers are x86-64.
VERSION = "v1.36.5+k3s1"
BINARY_SHA256 = "d73847bcd3c5fccef0115b372e2f9a91f3032dc84bbf71518a4617565294d313"
INSTALLER_SHA256 = "46177d4c99440b4c0311b67233823a8e8a2fc09693f6c89af1a7161e152fbfad"
# What the script leaves, read by the fetch of the kubeconfig: a line on how far it is, then k3s' own file.
READ_COMMAND = "cat /var/lib/dppctl/state && cat /etc/rancher/k3s/k3s.yaml"


def install_script(keys: SshKeys) -> str:
    """Return the script for a machine with these keys. Pure."""
    text = (files("cli.providers.kamatera") / "install-k3s.sh").read_text(encoding="utf-8")
    words = {
        "__VERSION__": VERSION,
        "__BINARY_SHA256__": BINARY_SHA256,
        "__INSTALLER_SHA256__": INSTALLER_SHA256,
        "__HOST_KEY__": keys.host_private.strip(),
        "__HOST_PUBLIC_KEY__": keys.host_public,
    }
    for word, value in words.items():
        text = text.replace(word, value)
    return text
