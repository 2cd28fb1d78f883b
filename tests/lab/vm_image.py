# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk that all virtual machines start from, read only, and the seed that makes a node of it."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
import typing as t
import uuid
from pathlib import Path

import commands
import fabric
import ssh
import vm_rootfs
from settings import Lab, Shape

SIZE: t.Final = "2G"
INIT: t.Final = "/usr/local/sbin/lab-init"
# The first program of a guest: on the first start of a disk it unpacks the node's seed, before systemd reads anything.
INIT_TEXT: t.Final = """\
#!/bin/sh
# Written by the lab.
if [ ! -e /etc/lab-seeded ]; then
    tar -xf /dev/ubdb -C / && : >/etc/lab-seeded && sync
fi
exec /sbin/init "$@"
"""
SSHD: t.Final = """\
# Written by the lab.
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
MaxStartups 200
"""
LINK: t.Final = "[Match]\nMACAddress={mac}\n\n[Link]\nName=eth0\n"
NETWORK: t.Final = """\
[Match]
Name=eth0

[Network]
Address={address}
IPv6AcceptRA=no
"""
ROUTE: t.Final = "\n[Route]\nDestination={destination}\nGateway={gateway}\n"


def provide(cache: Path, rootfs: Path, kernel: Path, say: t.Callable[[str], None], sums: t.Sequence[str]) -> Path:
    """Return the image made of two tars with these checksums, made first if it is not in the cache. Raises LabError."""
    content = [*sums, SIZE, INIT, INIT_TEXT, SSHD, *vm_rootfs.MASKED]
    key = hashlib.sha256("\n".join(content).encode()).hexdigest()
    path = cache / f"image-{key[:12]}.ext4"
    if not path.exists():
        say("Making the disk image; this takes about 10 seconds, once")
        _remove_unused(cache)
        with tempfile.TemporaryDirectory(dir=cache, prefix="new-image-") as place:
            _make(Path(place), rootfs, kernel).rename(path)
    return path


def _remove_unused(cache: Path) -> None:
    """Remove images of other contents, except those that a lab which runs links to."""
    used = {link.resolve() for link in Path("/run").glob("*-lab/image")}
    for image in cache.glob("image-*.ext4"):
        if image.resolve() not in used:
            image.unlink()


def _make(place: Path, rootfs: Path, kernel: Path) -> Path:
    root, image = place / "root", place / "image"
    root.mkdir(mode=0o755)
    vm_rootfs.unpack(rootfs, root)
    modules = ("tar", "-C", str(root / "usr"), "--no-same-owner", "-xf", str(kernel), "--wildcards", "lib/*")
    if commands.run("tar", "-tf", str(kernel), "--wildcards", "lib/*") and not commands.succeeds(*modules):
        commands.run(*modules)
    (root / INIT[1:]).write_text(INIT_TEXT)
    (root / INIT[1:]).chmod(0o755)
    (root / "etc" / "ssh" / "sshd_config.d" / "lab.conf").write_text(SSHD)
    commands.run("truncate", "-s", SIZE, str(image))
    commands.run("mke2fs", "-q", "-t", "ext4", "-L", "lab", "-d", str(root), str(image))
    image.chmod(0o444)
    commands.run("sync", str(image))
    return image


def mac(port: fabric.Port) -> str:
    """Return the MAC address of a node's eth0."""
    return f"52:54:00:c0:00:{port.index:02x}"


def write_seed(lab: Lab, shape: Shape, port: fabric.Port, path: Path) -> str:
    """Write the tar that makes the image a node: names, addresses, keys. Return its public host key: type and key."""
    host_key = path.with_name("host_key")
    ssh.make_key(host_key, port.node)
    public = host_key.with_suffix(".pub").read_text()
    private_files = {
        "etc/ssh/ssh_host_ed25519_key": host_key.read_text(),
        "root/.ssh/authorized_keys": ssh.client_key(lab).with_suffix(".pub").read_text(),
    }
    files = {
        "etc/hostname": f"{port.node}\n",
        "etc/hosts": fabric.hosts_file(shape),
        "etc/machine-id": f"{uuid.uuid4().hex}\n",
        "etc/ssh/ssh_host_ed25519_key.pub": public,
        "etc/systemd/network/10-eth0.link": LINK.format(mac=mac(port)),
        "etc/systemd/network/10-eth0.network": _network(shape, port),
    }
    with tarfile.open(path, "w") as tar:
        _add(tar, "root/.ssh", None, 0o700)
        for mode, group in ((0o600, private_files), (0o644, files)):
            for name, text in group.items():
                _add(tar, name, text, mode)
    host_key.unlink()
    host_key.with_suffix(".pub").unlink()
    return " ".join(public.split()[:2])


def _network(shape: Shape, port: fabric.Port) -> str:
    gateway = fabric.router_address(port.subnet).ip
    others = [fabric.SUBNETS[number] for number in range(shape.subnets) if number != port.subnet]
    routes = [ROUTE.format(destination=other, gateway=gateway) for other in others]
    return NETWORK.format(address=port.address) + "".join(routes)


def _add(tar: tarfile.TarFile, name: str, text: str | None, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.mode = mode
    if text is None:
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    else:
        member.size = len(text.encode())
        tar.addfile(member, io.BytesIO(text.encode()))
