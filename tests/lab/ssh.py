# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real sshd in every node: its own host key, key-only login of root with a key that belongs to the lab."""

from __future__ import annotations

import concurrent.futures
import shutil
import typing as t
from pathlib import Path

import commands
import fabric
import nodes
from settings import Lab, Shape

CONFIGURATION: t.Final = """\
# Written by the lab.
ListenAddress {address}
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/lab_authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
UseDNS no
PrintMotd no
MaxStartups 200
Subsystem sftp internal-sftp
"""


def client_key(lab: Lab) -> Path:
    """Return the path of the private key that opens every node of a lab."""
    return lab.files / "ssh" / "id_ed25519"


def known_hosts(lab: Lab) -> Path:
    """Return the path of the list of the nodes' host keys."""
    return lab.files / "ssh" / "known_hosts"


def control_sockets(lab: Lab) -> Path:
    """Return the folder of the sockets through which SSH clients share their connections to the nodes."""
    return lab.run_dir / "ssh"


def hang_up(lab: Lab, address: str = "*") -> None:
    """End the shared connections that clients still hold open, so that none outlives the node it leads to."""
    for socket in control_sockets(lab).glob(address):
        commands.succeeds("ssh", "-F", "none", "-o", f"ControlPath={socket}", "-O", "exit", socket.name)


def start(lab: Lab, shape: Shape) -> None:
    """Make new keys, start sshd in every node and write the list of known hosts. Raises LabError."""
    prepare(lab)
    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as workers:
        public_keys = list(workers.map(lambda port: _start_one(lab, port), fabric.ports(shape)))
    write_known_hosts(lab, shape, public_keys)


def prepare(lab: Lab) -> None:
    """Make a new key for clients, and the folder of their sockets. Raises LabError."""
    remove(lab)
    client_key(lab).parent.mkdir(parents=True, mode=0o700)
    control_sockets(lab).mkdir(mode=0o700)
    make_key(client_key(lab), f"{lab.name} lab")


def write_known_hosts(lab: Lab, shape: Shape, public_keys: t.Iterable[str]) -> None:
    """Write the list of the nodes' host keys, each as type and key, node1 first."""
    addresses = [port.address.ip for port in fabric.ports(shape)]
    known_hosts(lab).write_text(
        "".join(f"{address} {key}\n" for address, key in zip(addresses, public_keys, strict=True))
    )


def options(lab: Lab) -> list[str]:
    """Return the options of an SSH client that make it trust the nodes, and nothing of the user's own settings."""
    files = [f"UserKnownHostsFile={known_hosts(lab)}", f"IdentityFile={client_key(lab)}", "IdentitiesOnly=yes"]
    manner = ["BatchMode=yes", "LogLevel=ERROR", "ConnectTimeout=5", "ServerAliveInterval=5", "ServerAliveCountMax=4"]
    return ["-F", "none", *(word for option in files + manner for word in ("-o", option))]


def remove(lab: Lab) -> None:
    """Remove the keys of a lab."""
    shutil.rmtree(lab.files / "ssh", ignore_errors=True)


def make_key(path: Path, comment: str) -> None:
    """Make a key pair without a passphrase: `path` and `path`.pub. Raises LabError."""
    commands.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path))


def _start_one(lab: Lab, port: fabric.Port) -> str:
    """Start sshd in one node and return its public host key as known_hosts wants it: type and key."""
    process = nodes.process(lab, port.node)
    folder = Path(f"/proc/{process.pid}/root/etc/ssh") if process else Path("/nonexistent")
    for key in folder.glob("ssh_host_*"):
        key.unlink()
    make_key(folder / "ssh_host_ed25519_key", port.node)
    (folder / "sshd_config").write_text(CONFIGURATION.format(address=port.address.ip))
    shutil.copy(client_key(lab).with_suffix(".pub"), folder / "lab_authorized_keys")
    commands.run(*nodes.enter(lab, port.node, "systemctl", "start", "ssh.service"))
    return " ".join((folder / "ssh_host_ed25519_key.pub").read_text().split()[:2])
