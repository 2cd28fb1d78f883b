# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MTU of pods that run: on both ends of their veth pairs.

The pod's end is read from here, by the number under which its namespace is known (IFLA_TARGET_NETNSID, Linux 4.15).
To change it the namespace has to be entered: a request to change a link with that attribute moves the link there.
"""

from __future__ import annotations

import errno
import os
import struct
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, KernelError
from ansible_collections.podnet.calico.plugins.module_utils.ip import IPV6_MTU, has_ipv6
from ansible_collections.podnet.calico.plugins.module_utils.kernel import pods
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import (
    EXT_MASK,
    MTU,
    NO_NAMESPACE,
    SKIP_STATISTICS,
    Link,
    link_of,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.lock import only_one
from ansible_collections.podnet.calico.plugins.module_utils.kernel.namespaces import (
    NETNS_DIRECTORY,
    namespace,
    visits,
)
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import (
    IFINFO,
    RTM_GETLINK,
    RTM_SETLINK,
    as_number,
    attribute,
    attributes,
    number,
)

_TARGET_NETNSID = 46
_RTM_GETNSID, _NSID, _FD = 90, 1, 3  # linux/net_namespace.h
_DIRECTORIES = (NETNS_DIRECTORY, "/run/docker/netns")
_GONE = (errno.ENODEV, errno.ENOENT)
SMALLEST, LARGEST = 68, 65535  # RFC 791; veth


class Pair(t.NamedTuple):
    """Both ends of a pod's link; namespace: the number of the pod's namespace."""

    host: Link
    pod: Link
    namespace: int
    addresses: list[str]


def read(netlink: Netlink, cidrs: t.Sequence[t.Any]) -> list[Pair]:
    """Return the veth pairs of the pods with addresses in some ranges whose other end is in another namespace."""
    found = []
    for link, addresses in pods.read(netlink, cidrs):
        place = link.peer_namespace
        if link.kind != "veth" or place is None:
            continue
        head = IFINFO.pack(0, 0, link.peer, 0, 0) + number(EXT_MASK, SKIP_STATISTICS)
        body = netlink.get(RTM_GETLINK, head + number(_TARGET_NETNSID, place))
        if body is not None and link_of(body).peer == link.index:  # else it went in this moment
            found.append(Pair(link, link_of(body), place, addresses))
    return found


def plan(pairs: t.Iterable[Pair], mtu: int, *, at_most: bool) -> dict[str, Change]:
    """Return by the host's end the changes that give both ends an MTU, or none that is larger."""
    changes = {}
    for pair in pairs:
        before = {"host": pair.host.mtu, "pod": pair.pod.mtu}
        after = {end: min(mtu, value) if at_most else mtu for end, value in before.items()}
        if after != before:
            changes[pair.host.name] = Change("pod", pair.host.name, before, after)
    return changes


def apply(netlink: Netlink, pairs: t.Iterable[Pair], changes: t.Mapping[str, Change]) -> None:
    """Make the changes; pods that go meanwhile are left out. Raises KernelError, also if a namespace is not found."""
    left: dict[int, list[Pair]] = {}
    for pair in pairs:
        if pair.host.name in changes:
            left.setdefault(pair.namespace, []).append(pair)
    with visits() as back:
        for place, path in _namespaces(netlink):
            for pair in left.pop(place, ()):
                _set_both(netlink, pair, changes[pair.host.name].after, path, back)
            if not left:
                return
    lost = [pair for group in left.values() for pair in group if _is_there(netlink, pair.host)]
    if lost:
        raise KernelError(
            f"set the MTU of pods: the namespaces behind {', '.join(pair.host.name for pair in lost)} are found by "
            f"no process, nor below {' and '.join(_DIRECTORIES)}",
            remedy="Run this where the pods' processes are seen, or restart these pods",
        )


def _set_both(netlink: Netlink, pair: Pair, after: t.Mapping[str, int], path: str, back: int) -> None:
    """Set the MTU of the pod's end, then of the host's: what is larger than either is lost for that moment alone."""
    what = f"set the MTU of the pod behind {pair.host.name}"
    with namespace(path, back), Netlink() as inside:
        there = _set(inside, pair.pod.index, after["pod"], what)
    if there:
        _set(netlink, pair.host.index, after["host"], what)


def _set(netlink: Netlink, index: int, mtu: int, what: str) -> bool:
    """Set the MTU of a link and tell whether it is still there."""
    for refusal in netlink.send([(RTM_SETLINK, 0, IFINFO.pack(0, 0, index, 0, 0) + number(MTU, mtu))]):
        if refusal.errno not in _GONE:
            raise refusal.as_error(what)
        return False
    return True


def _is_there(netlink: Netlink, link: Link) -> bool:
    body = netlink.get(RTM_GETLINK, IFINFO.pack(0, 0, link.index, 0, 0))
    return body is not None and link_of(body).name == link.name


def _namespaces(netlink: Netlink) -> t.Iterator[tuple[int, str]]:
    """Yield the namespaces that this one has a number for: the number, and a path that is good for this turn."""
    seen: set[int] = set()
    for path in _places():
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # the process has ended
            continue
        try:
            inode = os.fstat(descriptor).st_ino
            place = None if inode in seen else _number_of(netlink, descriptor)
            seen.add(inode)
            if place is not None:
                yield place, f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)


def _places() -> t.Iterator[str]:
    for directory in _DIRECTORIES:
        if os.path.isdir(directory):
            yield from (os.path.join(directory, name) for name in os.listdir(directory))
    yield from (f"/proc/{name}/ns/net" for name in os.listdir("/proc") if name.isdigit())


def _number_of(netlink: Netlink, descriptor: int) -> int | None:
    """Return the number of a namespace given by an open file; None for none, or for a file that is no namespace."""
    body = netlink.get(_RTM_GETNSID, struct.pack("=Bxxx", 0) + attribute(_FD, struct.pack("=I", descriptor)))
    found = as_number(attributes(body, 4).get(_NSID), NO_NAMESPACE) if body else NO_NAMESPACE
    return None if found == NO_NAMESPACE else found


def ensure(cidrs: t.Sequence[str], mtu: int, *, at_most: bool, check_mode: bool) -> Outcome:
    """Give the pods with addresses in some ranges an MTU; all input is checked before anything is touched."""
    networks = pods.ranges(cidrs, "set the MTU of pods")
    if not SMALLEST <= mtu <= LARGEST:
        raise InvalidInput(f"set the MTU of pods: {mtu} is not between {SMALLEST} and {LARGEST}", remedy="Correct mtu")
    with only_one(check_mode), Netlink() as netlink:
        pairs = read(netlink, networks)
        if mtu < IPV6_MTU and has_ipv6(address for pair in pairs for address in pair.addresses):
            raise InvalidInput(
                f"set the MTU of pods: with {mtu} bytes those with IPv6 addresses would lose them",
                remedy=f"IPv6 needs {IPV6_MTU}",
            )
        changes = plan(pairs, mtu, at_most=at_most)
        if changes and not check_mode:
            apply(netlink, pairs, changes)
    return Outcome(list(changes.values()), {"pods": len(pairs)})
