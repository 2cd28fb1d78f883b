# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The BGP sessions, one protocol each, one option per line.

Filters, limits and descriptions are the only lines that BIRD changes without a reset of the session.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.bird.render_policy import export_filter, import_filter
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_secrets import password_constant
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_text import block

Data = t.Mapping[str, t.Any]

HOLD_TIME = 90  # seconds
KEEPALIVES = 3
"""A peer may miss so many keepalives, less one (RFC 4271, 10)."""
LONGEST_HOLD = 65535
"""Seconds: the protocol has 16 bits (RFC 4271, 4.2)."""
IMPORT_LIMIT, REFLECTED_LIMIT = 10_000, 100_000
"""How many routes one peer may have accepted, and one route reflector, which has those of all nodes."""
RECEIVE_LIMIT = 1_000_000
"""How many routes of one peer are kept, accepted or not: about the Internet's table, some 200 MB."""
LONGEST_RESTART = 4095
"""Seconds: the protocol has 12 bits (RFC 4724, 3), and BIRD 2.17 refuses more."""


def templates(bgp: Data) -> list[str]:
    """Return the templates of sessions: what all sessions of an IP version have alike."""
    return [_template(family["version"]) for family in bgp["families"]]


def _template(number: int) -> str:
    channel = [
        f"igp table podnet_underlay{number};",
        "gateway recursive;",
        "import keep filtered;",
        f"import limit {IMPORT_LIMIT} action block;",
        f"receive limit {RECEIVE_LIMIT} action block;",
    ]
    options = [
        "connect delay time 1;",
        "connect retry time 5;",
        "error wait time 1, 30;",
        "graceful restart on;",
        "igp metric off;",
        block(f"ipv{number}", channel, "};"),
    ]
    return block(f"template bgp podnet_session{number}", options)


def sessions(bgp: Data, bfd: bool, version: tuple[int, int]) -> list[str]:
    """Return the protocols of all sessions, in the plan's order; bfd and version as for render()."""
    addresses = {family["version"]: family["address"] for family in bgp["families"]}
    return [_session(bgp, one, addresses.get(one["family"]), bfd, version) for one in bgp["sessions"]]


def _session(bgp: Data, session: Data, address: str | None, bfd: bool, version: tuple[int, int]) -> str:
    """Return one session's protocol.

    BIRD binds to an address only if it also connects from it, so bindMode NodeIP overrides sourceAddress None; and it
    watches by BFD only from a known address, so sessions without one are not watched.
    """
    source = session["source"] or (address if bgp["bind_to_node"] else None)
    options = [
        f'description "{_description(session)}";',
        *_transport(bgp, session, source),
        *_times(session),
        *_internal(bgp, session),
        *_password(session, version),
        *(["bfd on;"] if bfd and source else []),
        block(f"ipv{session['family']}", _channel(session), "};"),
    ]
    return block(f"protocol bgp {session['name']} from podnet_session{session['family']}", options)


def _description(session: Data) -> str:
    """Say why the session is there, and with whom."""
    return re.sub(r"[^A-Za-z0-9 ._-]", "?", f"{session['kind']} {session['peer'] or ''}".strip())


def _transport(bgp: Data, session: Data, source: str | None) -> list[str]:
    """Return the two ends of the TCP connection and how far they are apart."""
    local = f"{source} port {bgp['listen_port']}" if source else f"port {bgp['listen_port']}"
    lines = [
        f"local {local} as {session['local_as']};",
        f"neighbor {session['address']} port {session['port']} as {session['remote_as']};",
    ]
    if session["ttl_security"]:
        lines += [f"multihop {session['ttl_security']};", "ttl security on;"]
    else:
        lines.append("multihop;")
    if bgp["bind_to_node"]:
        lines.append("strict bind on;")
    return [*lines, "passive on;"] if session["passive"] else lines


def _times(session: Data) -> list[str]:
    """Return the timers; the hold time leaves room for three keepalives."""
    keepalive = min(session["keepalive_time"] or HOLD_TIME // KEEPALIVES, LONGEST_HOLD // KEEPALIVES)
    lines = [f"hold time {max(HOLD_TIME, KEEPALIVES * keepalive)};", f"keepalive time {keepalive};"]
    restart = 120 if session["restart_time"] is None else min(session["restart_time"], LONGEST_RESTART)
    return [*lines, f"graceful restart time {restart};"]


def _internal(bgp: Data, session: Data) -> list[str]:
    """Return what concerns reflection and loops; the cluster ID belongs to all internal sessions of a reflector."""
    lines = ["rr client;"] if session["rr_client"] else []
    if bgp["cluster_id"] and session["remote_as"] == session["local_as"]:
        lines.append(f"rr cluster id {bgp['cluster_id']};")
    if session["allowed_local_as"]:
        lines.append(f"allow local as {session['allowed_local_as']};")
    return lines


def _password(session: Data, version: tuple[int, int]) -> list[str]:
    """Return the constant of the password; since BIRD 2.17 one has to say which kind of authentication is meant."""
    if not session["password"]:
        return []
    explicit = (2, 17) <= version < (3, 0) or version >= (3, 1)
    return [*(["authentication md5;"] if explicit else []), f"password {password_constant(session['password'])};"]


def _channel(session: Data) -> list[str]:
    next_hop = [f"next hop {session['next_hop']};"] if session["next_hop"] in ("self", "keep") else []
    return [
        *next_hop,
        *([f"import limit {REFLECTED_LIMIT} action block;"] if session["reflects"] else []),
        f"import filter {import_filter(session)};",
        f"export filter {export_filter(session)};",
    ]
