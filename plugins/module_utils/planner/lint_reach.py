# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who learns of whose blocks: how announcements travel over the planned sessions of a cluster.

A node passes on what it has learned only as a route reflector (RFC 4456): to internal peers what came from clients or
from outside, to clients everything. The external routers together are one more place that announcements pass through,
which is taken to reflect, and to have every route. Filters are not looked at. So what is said to be unreachable is.

Few nodes pass anything on, and most nodes are attached to those in the same way, so that a thousand nodes are a handful
of cases: the announcements of all nodes attached alike are followed once.
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_scene import Finding, Results, Scene, listed
from ansible_collections.podnet.calico.plugins.module_utils.resources.selector import parse

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Session

_FABRIC = ""  # the external routers, as a place; nodes have names
OWN, CLIENT, PEER, OUTSIDE = "own", "client", "peer", "outside"


class State(t.NamedTuple):
    """An announcement at a place that passes it on: where it came from, the reflectors' clusters and ASes it passed."""

    place: str
    origin: str
    clusters: frozenset[str] = frozenset()
    path: tuple[int, ...] = ()


class Edge(t.NamedTuple):
    """A session as an announcement passes it.

    to_client: the source is a reflector and the target its client. arrives: what the target takes routes from it as.
    only_own: the target takes nothing that the source has learned. cluster, autonomous_system, allowed: of the target,
    by which it knows loops; allowed is how often its own AS may be in the path.
    """

    source: str
    target: str
    internal: bool
    to_client: bool
    arrives: str
    only_own: bool
    adds: tuple[int, ...]
    cluster: str | None
    autonomous_system: int | None
    allowed: int


class Reach:
    """The announcements of one IP version; loops: whether a node refuses a path that has its own AS in it."""

    def __init__(self, scene: Scene, version: int, *, loops: bool = True) -> None:
        self._scene, self._loops = scene, loops
        self._clusters = {name: scene.bgps[name].cluster_id for name in scene.bgps}
        self.members = carriers(scene, version)
        self._bit = {name: 1 << index for index, name in enumerate(self.members)}
        self._ties = {name: [tie for tie in ties if tie.here.family == version] for name, ties in scene.working.items()}
        self._transit: dict[str, list[Edge]] = {_FABRIC: []}
        for name in self._ties:
            if self._clusters[name]:
                self._transit[name] = []
        for name in list(self._transit):
            self._link(name)

    def _link(self, name: str) -> None:
        """Note the ways between a reflector and the other places that pass on announcements."""
        for here, there in self._ties.get(name, ()):
            if here.peer is None:
                self._transit[name].append(self._out(name, here))
                self._transit[_FABRIC].append(self._in(here, name))
            elif there is not None and here.peer in self._transit:
                self._transit[name].append(self._between(name, here, there, here.peer))

    def _between(self, source: str, here: Session, there: Session, target: str) -> Edge:
        """Return the way from a node to another; here is the source's session, there the target's."""
        internal = here.local_as == here.remote_as
        return Edge(
            source=source,
            target=target if target in self._transit else "",
            internal=internal,
            to_client=here.rr_client,
            arrives=_arrives(there, internal),
            only_own=not there.reflects,
            adds=() if internal else (here.local_as,),
            cluster=self._clusters[here.peer or ""],
            autonomous_system=there.local_as,
            allowed=there.allowed_local_as or 0,
        )

    def _out(self, source: str, session: Session) -> Edge:
        """Return the way from a node to its external router."""
        internal = session.local_as == session.remote_as
        adds = () if internal else (session.remote_as, session.local_as)
        return Edge(source, _FABRIC, internal, False, OUTSIDE, False, adds, None, None, 0)

    def _in(self, session: Session, target: str) -> Edge:
        """Return the way from an external router to a node."""
        internal = session.local_as == session.remote_as
        cluster, allowed = self._clusters[target], session.allowed_local_as or 0
        adds = () if internal else (session.remote_as,)
        return Edge(
            *(_FABRIC, target if target in self._transit else "", internal, True, _arrives(session, internal)),
            *(False, adds, cluster, session.local_as, allowed),
        )

    def _pass(self, state: State, edge: Edge) -> State | None:
        """Return an announcement at the other end of a session, or None if it is not sent or not taken."""
        if edge.only_own and state.origin != OWN:
            return None
        clusters, path = state.clusters, state.path
        if edge.internal and state.origin in (CLIENT, PEER):
            if state.origin == PEER and not edge.to_client:
                return None
            clusters = clusters | {self._clusters[edge.source] or edge.source}
        elif not edge.internal:
            clusters = frozenset()
            path = path if path[: len(edge.adds)] == edge.adds else (*edge.adds, *path)
        if edge.cluster in clusters:
            return None
        if self._loops and edge.autonomous_system and path.count(edge.autonomous_system) > edge.allowed:
            return None
        return State(edge.target, edge.arrives, clusters, path)

    def _entries(self, name: str) -> frozenset[State]:
        """Return a node's own announcements at the places next to it that pass them on."""
        own = State(name, OWN)
        found = set()
        for here, there in self._ties.get(name, ()):
            if here.peer is None:
                found.add(self._pass(own, self._out("", here)))
            elif there is not None and here.peer in self._transit:
                found.add(self._pass(own, self._between("", here, there, here.peer)))
        return frozenset(state for state in found if state is not None)

    def _exits(self, name: str) -> frozenset[Edge]:
        """Return the ways into a node from the places that pass on announcements."""
        found = set()
        for here, there in self._ties.get(name, ()):
            if here.peer is None:
                found.add(self._in(here, name)._replace(target=""))
            elif there is not None and here.peer in self._transit:
                found.add(self._between(here.peer, there, here, name)._replace(target=""))
        return frozenset(found)

    def _spread(self, entries: frozenset[State]) -> dict[str, list[State]]:
        """Return the announcements at every place that they get to; the shortest way to each comes first."""
        found: dict[str, list[State]] = {}
        queue = list(entries)
        for state in queue:
            known = found.setdefault(state.place, [])
            if any(_covers(other, state) for other in known):
                continue
            known.append(state)
            steps = (self._pass(state, edge) for edge in self._transit[state.place])
            queue.extend(step for step in steps if step is not None)
        return found

    def missing(self) -> dict[str, int]:
        """Return by node the other nodes whose blocks it does not learn, as bits in the order of members."""
        sources: dict[frozenset[State], int] = {}
        for name in self.members:
            entries = self._entries(name)
            sources[entries] = sources.get(entries, 0) | self._bit[name]
        spread = [(self._spread(entries), bits) for entries, bits in sources.items()]
        everyone = (1 << len(self.members)) - 1
        delivered: dict[frozenset[Edge], int] = {}
        result = {}
        for name in self.members:
            exits = self._exits(name)
            if exits not in delivered:
                delivered[exits] = sum(bits for states, bits in spread if self._arrives_by(states, exits))
            result[name] = everyone & ~(delivered[exits] | self._direct(name) | self._bit[name])
        return result

    def _arrives_by(self, states: t.Mapping[str, list[State]], exits: frozenset[Edge]) -> bool:
        return any(self._pass(state, edge) is not None for edge in exits for state in states.get(edge.source, ()))

    def _direct(self, name: str) -> int:
        """Return the nodes that announce their blocks to a node themselves."""
        bits = 0
        for here, there in self._ties.get(name, ()):
            if there is not None:
                bits |= self._bit.get(here.peer or "", 0)
        return bits

    def bits(self, names: t.Iterable[str]) -> int:
        """Return the bits that stand for nodes."""
        return sum(self._bit.get(name, 0) for name in names)

    def names(self, bits: int) -> list[str]:
        """Return the nodes that bits stand for."""
        return [name for name, bit in self._bit.items() if bits & bit]


def _arrives(session: Session, internal: bool) -> str:
    if not internal:
        return OUTSIDE
    return CLIENT if session.rr_client else PEER


def _covers(known: State, state: State) -> bool:
    """Tell whether an announcement that is known gets everywhere that another one gets."""
    return known.origin == state.origin and known.clusters <= state.clusters and set(known.path) <= set(state.path)


def carriers(scene: Scene, version: int) -> list[str]:
    """Return the nodes whose blocks of one IP version BIRD announces: those that have sessions and a pool for them."""
    pools = [
        parse(pool.node_selector)
        for pool in scene.pools
        if pool.cidr.version == version
        and pool.vxlan_mode == "Never"
        and not (pool.disabled or pool.disable_bgp_export)
        and "Workload" in pool.allowed_uses
    ]
    return [
        name
        for name, bgp in sorted(scene.bgps.items())
        if bgp.sessions
        and any(family.version == version for family in bgp.families)
        and any(selector.matches(scene.nodes[name].labels) for selector in pools)
    ]


def unreachable(scene: Scene) -> Results:
    """Yield the nodes that do not learn of each other's blocks: because of AS loops, or of no way at all."""
    for version in (4, 6):
        reach = Reach(scene, version)
        missing = reach.missing()
        if any(missing.values()):
            without_loops = Reach(scene, version, loops=False).missing()
            asked = {
                name: bits & ~reach.bits(scene.excused) for name, bits in missing.items() if name not in scene.excused
            }
            yield from _findings(reach, {n: m & ~without_loops[n] for n, m in asked.items()}, _LOOP)
            yield from _findings(reach, {n: m & without_loops[n] for n, m in asked.items()}, _NO_WAY)


_LOOP = (
    "as-loop",
    "find their own AS in the path and refuse the routes",
    "Set numAllowedLocalASNumbers to 1 on the BGPPeer of the routers, or give the nodes ASes of their own",
)
_NO_WAY = (
    "blocks-unreachable",
    "are told by nobody, as a node passes on what it learns only as a route reflector",
    "Let the nodes peer, or both of them with the same reflectors, and reflectors with each other",
)


def _findings(reach: Reach, missing: t.Mapping[str, int], saying: tuple[str, str, str]) -> Results:
    rule, why, remedy = saying
    groups: dict[int, list[str]] = {}
    for name, bits in missing.items():
        if bits:
            groups.setdefault(bits, []).append(name)
    for bits, names in groups.items():
        others = reach.names(bits)
        text = f"{listed(names)} do not learn the blocks of {listed(others)}: they {why}"
        yield Finding(rule, "Node", names[0], text, remedy, (*names, *others))
