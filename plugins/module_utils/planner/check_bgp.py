# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGP sessions that cannot work: what they name does not exist, or two peers contradict each other."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp_sessions import candidates, secret_key
from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_reach import unreachable
from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_scene import CUT_OFF, Finding, Scene, refusals
from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_sessions import no_sessions, obstacles

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp_sessions import Candidate
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Cluster
    from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Bgp, SecretKey, Session


def session_problems(
    cluster: Cluster, planned: t.Mapping[str, Bgp], secrets: t.Collection[str] | None = None
) -> list[InvalidInput]:
    """Return what cannot work in the sessions of nodes.

    secrets: "name/key" of the passwords that there are, None if that is not to be checked.
    """
    missing = () if secrets is None else _missing_passwords(cluster, planned, secrets)
    return [*refusals(peer_findings(cluster, planned)), *_filters(cluster), *missing]


def peer_findings(cluster: Cluster, planned: t.Mapping[str, Bgp]) -> t.Iterator[Finding]:
    """Yield BGPPeers that are not supported, or contradict each other in sessions of the planned nodes."""
    yield from _workloads(cluster)
    yield from _contradictions(cluster, planned)


def cut_off(
    cluster: Cluster, bgps: t.Mapping[str, Bgp], hosts: t.Collection[str], allowed: t.Iterable[str] = ()
) -> t.Iterator[InvalidInput]:
    """Yield, in the lint's words, why nodes among the hosts would have no BGP routes to or from others.

    bgps: what BIRD of all nodes would be told. allowed: nodes for which that is meant.
    """
    scene = Scene(cluster.nodes, cluster.pools, bgps=bgps, excused=frozenset(allowed))
    named = "; or, if it is to be cut off, name the node in calico_allow_cut_off"
    # The mesh alone joins all nodes that have a session at all.
    for rule in (obstacles, no_sessions, unreachable) if cluster.peers else (no_sessions,):
        for found in rule(scene):
            if isinstance(found, Finding) and found.rule in CUT_OFF and not set(found.nodes).isdisjoint(hosts):
                yield found.refusal(named)


def _workloads(cluster: Cluster) -> t.Iterator[Finding]:
    for peer in cluster.peers:
        if peer.local_workload_selector is not None:
            text = "spec.localWorkloadSelector: sessions with pods are not supported"
            remedy = "Leave the BGPPeer out, or give peerIP or peerSelector instead"
            yield Finding("peer-with-pods", "BGPPeer", peer.name, text, remedy)


def _filters(cluster: Cluster) -> t.Iterator[InvalidInput]:
    for peer in cluster.peers:
        for name in peer.filters:
            if name not in cluster.filters:
                yield InvalidInput(
                    f'BGPPeer "{peer.name}": spec.filters names BGPFilter "{name}", which does not exist',
                    remedy="Create the filter first, or take its name out of the peer",
                )


def _contradictions(cluster: Cluster, planned: t.Mapping[str, Bgp]) -> t.Iterator[Finding]:
    """Yield pairs of peers that give one session different passwords, and of which Calico prefers neither."""
    if len({peer.password for peer in cluster.peers}) < 2:
        return
    told: set[tuple[str, str]] = set()
    for name in planned:
        for one, other, session in _rivals(cluster, name):
            if (one, other) not in told:
                told.add((one, other))
                yield Finding(
                    "peers-contradict",
                    "BGPPeer",
                    one,
                    f'it and BGPPeer "{other}" give the session of node "{name}" with {session.address} different '
                    "passwords",
                    "Give both the same spec.password, or select nodes so that only one of them applies",
                )


def _rivals(cluster: Cluster, node: str) -> t.Iterator[tuple[str, str, Session]]:
    for own in cluster.peering.ends[node]:
        first: dict[tuple[str, int], Candidate] = {}
        for found in candidates(cluster, own):
            session = found.session
            best = first.setdefault((session.address, session.port), found)
            if best.rank == found.rank and best.session.password != session.password:
                yield best.peer, found.peer, session


def _missing_passwords(
    cluster: Cluster, planned: t.Mapping[str, Bgp], secrets: t.Collection[str]
) -> t.Iterator[InvalidInput]:
    """Yield the resources that name a password that sessions of the nodes need and that is not there."""
    needed = {(session.password, session.kind == "mesh") for bgp in planned.values() for session in bgp.sessions}
    named = [(f'BGPPeer "{peer.name}": spec.password', secret_key(peer.password), False) for peer in cluster.peers]
    mesh = secret_key(cluster.bgp.node_mesh_password)
    for where, password, of_mesh in (*named, ('BGPConfiguration "default": spec.nodeMeshPassword', mesh, True)):
        if password is not None and (password, of_mesh) in needed and _is_missing(password, secrets):
            yield InvalidInput(
                f'{where} is key "{password.key}" of secret "{password.name}", for which there is no value',
                remedy=f"Set calico_bgp_passwords, for example {{{password.name}: {{{password.key}: ...}}}}",
            )


def _is_missing(password: SecretKey, secrets: t.Collection[str]) -> bool:
    return not password.optional and f"{password.name}/{password.key}" not in secrets
