# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Named network namespaces that are made for pods, as `ip netns` has them, and go with them.

A note per namespace says that it is ours, and whose: it is written first and deleted last, so that whatever is left by
a run that was killed is found. Notes are symbolic links, which come with their text or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os

from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel.namespaces import (
    CLONE_NEWNET,
    NETNS_DIRECTORY,
    libc,
    setns,
    succeed,
)

NOTES = "/run/podnet.calico/netns"
_NS_GET_NSTYPE = 0xB703
_MS_BIND, _MS_REC, _MS_SHARED = 0x1000, 0x4000, 1 << 20
_MNT_DETACH = 2


def owner() -> str:
    """Return what tells this host, a network namespace itself, from others that share its files."""
    return str(os.stat("/proc/self/ns/net").st_ino)


def notes() -> dict[str, tuple[str, str]]:
    """Return the namespaces made for pods of this host: name to host's end and workload."""
    found, this = {}, owner()
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(NOTES):
            try:
                host, interface, workload = os.readlink(f"{NOTES}/{name}").split()
            except (OSError, ValueError):  # it went in this moment, or is no note
                continue
            if host == this:
                found[name] = (interface, workload)
    return found


def exists(path: str) -> bool:
    """Tell whether a path leads to a live network namespace; the file of a dead one may still be there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return fcntl.ioctl(descriptor, _NS_GET_NSTYPE) == CLONE_NEWNET
    except OSError:
        return False
    finally:
        os.close(descriptor)


def make(name: str, interface: str, workload: str) -> bool:
    """Make a named namespace and note that it is ours; tell so, or that it lived already. Raises KernelError."""
    path = os.path.join(NETNS_DIRECTORY, name)
    if exists(path):
        return False
    remove(name)  # what is left of a dead one
    if os.path.lexists(path) and os.lstat(path).st_size:
        raise KernelError(f"create network namespace {name}: {path} is a file of somebody else", remedy="Remove it")
    try:
        _share_directory()
        os.makedirs(NOTES, exist_ok=True)
        os.symlink(f"{owner()} {interface} {workload}", os.path.join(NOTES, name))
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o444))
        _make_at(path)
    except OSError as error:
        remove(name)
        remedy = "Run as root (become: true)" if error.errno in (errno.EPERM, errno.EACCES) else ""
        raise KernelError(f"create network namespace {name}: {error.strerror}", remedy=remedy) from error
    return True


def _make_at(path: str) -> None:
    back = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        succeed(libc().unshare(CLONE_NEWNET))
        try:
            succeed(libc().mount(b"/proc/self/ns/net", path.encode(), b"none", _MS_BIND, None))
        finally:
            setns(back)
    finally:
        os.close(back)


@functools.cache
def _share_directory() -> None:
    """Make mounts below the directory seen by all, as `ip netns add` does (ip-netns(8)); once is enough."""
    os.makedirs(NETNS_DIRECTORY, exist_ok=True)
    directory = NETNS_DIRECTORY.encode()
    if libc().mount(b"", directory, b"none", _MS_SHARED | _MS_REC, None):  # it is no mount yet
        succeed(libc().mount(directory, directory, b"none", _MS_BIND | _MS_REC, None))
        succeed(libc().mount(b"", directory, b"none", _MS_SHARED | _MS_REC, None))


def remove(name: str) -> None:
    """Remove a namespace that was made for a pod, dead or alive, and its note; any other stays."""
    note = os.path.join(NOTES, name)
    if "/" in name or not os.path.lexists(note):
        return
    path = os.path.join(NETNS_DIRECTORY, name)
    libc().umount2(path.encode(), _MNT_DETACH)  # not mounted: nothing to do
    for file in (path, note):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(file)
    with contextlib.suppress(OSError):  # others are left
        os.removedirs(NOTES)
