"""Reading two files of the new machine by ssh: with a key of this cluster only, from the machine whose key is ours."""

from dataclasses import dataclass

from bot import process
from bot.program_environment import listed_environment
from cli.errors import InputError
from cli.providers.kamatera.limits import MAX_KUBECONFIG_BYTES, SSH_SECONDS
from cli.providers.kamatera.record import HOST_ALIAS, RecordFolder
from cli.providers.kamatera.script import READ_COMMAND

PORT, USER = 22, "root"


@dataclass(frozen=True)
class ScriptState:
    """How far the script on the machine is; `unreached`: ssh's reason, when there is no word of it."""

    line: str = ""  # "installing …", "failed …" or "ready"
    kubeconfig: str = ""  # when it is ready
    unreached: str = ""


def read_script_state(address: str, record: RecordFolder) -> ScriptState:
    """Ask the machine at this address how far it is. Raises InputError where there is no ssh."""
    arguments = [*ssh_command(address, record), "-o", f"ConnectTimeout={SSH_SECONDS / 2:.0f}", "-T", READ_COMMAND]
    try:
        ended = process.run(arguments, environment=listed_environment(), seconds=SSH_SECONDS, separate=True)
    except process.StartError:
        raise InputError("ssh is not on the PATH; install OpenSSH's client (apt-get install openssh-client)") from None
    except process.TimeLimitError:
        return ScriptState(unreached="it does not answer")
    line, _, rest = ended.out[:MAX_KUBECONFIG_BYTES].partition("\n")
    if line == "ready" and not ended.code:
        return ScriptState(line, rest)
    if line.startswith(("installing ", "failed ")):
        return ScriptState(" ".join(line.split())[:300])
    return ScriptState(unreached=ended.lines[-1][:300] if ended.lines else f"ssh ends with {ended.code}")


def ssh_command(address: str, record: RecordFolder) -> list[str]:
    """Return the command that logs in there, without reading a person's own configuration of ssh."""
    options = {
        "IdentitiesOnly": "yes",
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{record.known_hosts}"',
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": HOST_ALIAS,
        "HostKeyAlgorithms": "ssh-ed25519",
    }
    pairs = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return ["ssh", "-F", "/dev/null", "-i", str(record.key_file), *pairs, "-p", str(PORT), f"{USER}@{address}"]
