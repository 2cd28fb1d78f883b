# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BIRD's sessions and routes as data, and waiting for them."""

from __future__ import annotations

import ipaddress
import os
import time
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.bird import daemon
from ansible_collections.podnet.calico.plugins.module_utils.bird.config_change import listed
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.errors import DaemonError, InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_dump import read
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import TYPES, Route, decode
from ansible_collections.podnet.calico.plugins.module_utils.marks import BIRD_PROTOCOL

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.bird.status import Protocol, Status

_PAUSE = 0.2
_Key = t.Tuple[bytes, int]  # destination, prefix length


def inform(sessions: t.Iterable[str], routes: t.Iterable[str], wait: float) -> Outcome:
    """Return version, sessions and numbers of routes, after waiting for sessions to be up and routes to be there."""
    wanted = {_key(prefix): prefix for prefix in routes}
    with Netlink() as netlink:
        status = _wait(netlink, sorted(set(sessions)), wanted, wait) if wait else daemon.read()
        daemon.with_notifications(status)
        learned = [route for route in _routes(netlink) if route.way.kind == TYPES["unicast"]]
    lengths = [len(route.destination) for route in learned]
    facts = {
        "version": status.version,
        "sessions": {name: session.as_session() for name, session in sorted(status.sessions.items())},
        "routes": {"ipv4": lengths.count(4), "ipv6": lengths.count(16)},
        "warnings": warnings(status, os.uname().nodename),
    }
    return Outcome([], facts)


def warnings(status: Status, host: str) -> list[str]:
    """Return a sentence on sessions that are not established, and one on those that refuse routes, if there are any.

    host: who says so; Ansible shows what several hosts say in the same words only once.
    """
    sessions = sorted(status.sessions.items())
    down = [f"{name} ({_state(session)})" for name, session in sessions if not session.established]
    full = [f"{name} ({', '.join(session.limits_hit)})" for name, session in sessions if session.limits_hit]
    said = [f"{len(down)} of {len(sessions)} BGP sessions are not established: {listed(down)}"] if down else []
    said += [f"BGP sessions have reached a limit and refuse routes: {listed(full)}"] if full else []
    return [f"{host}: {sentence}" for sentence in said]


def _key(prefix: str) -> _Key:
    try:
        network = ipaddress.ip_network(prefix)
    except ValueError as error:
        raise InvalidInput(f"routes: {prefix}: {error}") from error
    return network.network_address.packed, network.prefixlen


def _routes(netlink: Netlink) -> list[Route]:
    """Return BIRD's routes in the kernel, without those that refuse packets since their next hop is not reachable."""
    found = map(decode, read(netlink, BIRD_PROTOCOL))
    return [route for route in found if route.way.kind != TYPES["unreachable"]]


def _wait(netlink: Netlink, names: t.Sequence[str], wanted: t.Mapping[_Key, str], seconds: float) -> Status:
    """Wait until sessions are established and routes are in the kernel; raises DaemonError that names the others."""
    deadline = time.monotonic() + seconds
    while True:
        status = daemon.read()
        found = status.sessions
        down = [name for name in names if name not in found or not found[name].established]
        there = {(route.destination, route.length) for route in _routes(netlink)} if wanted else set()
        missing = [prefix for key, prefix in wanted.items() if key not in there]
        if not down and not missing:
            return status
        if time.monotonic() > deadline:
            raise _late(status, names, down, wanted, missing, seconds)
        time.sleep(_PAUSE)


def _state(session: Protocol) -> str:
    said = session.details.get("last_notification")
    return " ".join((session.info or session.state).split()) + (f"; before, the peer said: {said}" if said else "")


def _why(status: Status) -> str:
    """Return where to look for routes that do not come although no session that was waited for is down."""
    states = [session.established for session in status.sessions.values()]
    if not states:
        return "BIRD has no BGP session at all: podnet.calico.lint says which nodes have none, and why"
    if not all(states):
        return f"{states.count(False)} of {len(states)} sessions are not established"
    return "All sessions are established: do the peers announce these routes, and do the filters accept them?"


def _late(
    status: Status,
    names: t.Sequence[str],
    down: t.Sequence[str],
    wanted: t.Mapping[_Key, str],
    missing: t.Sequence[str],
    seconds: float,
) -> DaemonError:
    if not down:
        return DaemonError(
            f"wait {seconds:g} s for BIRD's routes: {len(missing)} of {len(wanted)} are not in the kernel: "
            + listed(missing),
            remedy=_why(status),
            missing_routes=missing,
        )
    found = daemon.with_notifications(status).sessions
    states = [f"{name} ({_state(found[name])})" if name in found else f"{name} (absent)" for name in down]
    rest = f"; {len(missing)} of {len(wanted)} routes are not in the kernel: {listed(missing)}" if missing else ""
    return DaemonError(
        f"wait {seconds:g} s for BGP sessions: {len(down)} of {len(names)} are not established: {listed(states)}{rest}",
        remedy="Is BIRD running on the peers, and is TCP port 179 open between the nodes?",
        down=down,
        missing_routes=missing,
    )
