# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes in an audit: ours, those that BIRD should have put into the kernel, and those of others into our pools."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.bird import daemon
from ansible_collections.podnet.calico.plugins.module_utils.kernel import route_apply, route_wire, routes
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import links
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_dump import everything, read
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_entries import parse
from ansible_collections.podnet.calico.plugins.module_utils.kernel.wire import address_text
from ansible_collections.podnet.calico.plugins.module_utils.marks import (
    BIRD_METRIC,
    BIRD_PROTOCOL,
    ROUTE_PROTOCOL,
)
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit import (
    FOREIGN,
    MISSING,
    STALE,
    WRONG,
    Finding,
    finding,
    of_change,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Network
    from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
    from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import Route

Plan = t.Mapping[str, t.Any]
_LEADING = {route_wire.TYPES[kind] for kind in ("unicast", "blackhole", "unreachable")} | {8}  # 8: prohibit
_BIRDS_REMEDY = "Look at `birdc show route all for {}`; podnet.calico.deploy puts BIRD's configuration in order"
_IN_THE_WAY = "it takes packets to pods in another direction"
_SAME_METRIC = (
    f"BIRD has a route there with the same metric ({BIRD_METRIC}): BIRD 2 leaves its own out for good, BIRD 3"
    " overwrites this one again and again"
)


def of_routes(netlink: Netlink, plan: Plan) -> t.Iterator[Finding]:
    """Yield what differs in routes of ours, of BIRD, and of others in their way."""
    devices = Devices(unborn=True)
    blocked: set[bytes] = set()
    yield from _ours(netlink, plan, devices, blocked)
    decoded = [route_wire.decode(body) for body in everything(netlink) if body not in blocked]
    leading = [route for route in decoded if route.way.kind in _LEADING]
    named = {link.index for link in links(netlink) if link.ours or link.name in _tunnel_names(plan)}
    scene = Scene(plan, leading, devices, named, _birds_among(_with_birds_metric(leading)) if plan["bgp"] else ())
    yield from of_bird(scene)
    yield from of_others(scene)


def _tunnel_names(plan: Plan) -> set[str]:
    return {tunnel["name"] for tunnel in plan["tunnels"]}


def _ours(netlink: Netlink, plan: Plan, devices: Devices, blocked: set[bytes]) -> t.Iterator[Finding]:
    """Yield what the applier would change; blocked gets the bodies of those of others that are where ours should be."""
    bodies, tables = parse(plan["routes"], devices)
    beside: list[bytes] = []
    actual = routes.without_pods(netlink, read(netlink, beside=beside), bodies)
    changes = routes.plan(actual, bodies, devices, exclusive=True)
    route_apply.settle_strangers(changes, routes.shared(bodies, beside), take_over=True)
    route_apply.settle_conflicts(netlink, changes, tables, take_over=True)
    taken = {before for before, __ in changes.replace if route_wire.decode(before).protocol != ROUTE_PROTOCOL}
    strangers = [body for body in changes.clear if route_wire.decode(body).protocol != ROUTE_PROTOCOL]
    blocked |= {*taken, *strangers}
    for body in strangers:
        other = route_wire.decode(body)
        yield finding(FOREIGN, "route", route_wire.name(other), "", changes.words(other), _IN_THE_WAY)
    changes.clear = [body for body in changes.clear if body not in strangers]
    for before, after in changes.replace:
        if before in taken:
            ours, other = route_wire.decode(after), route_wire.decode(before)
            name = route_wire.name(ours)
            yield finding(FOREIGN, "route", name, changes.words(ours), changes.words(other), _IN_THE_WAY)
    changes.replace = [pair for pair in changes.replace if pair[0] not in taken]
    for change in changes:
        yield of_change(change)


def _with_birds_metric(found: t.Iterable[Route]) -> list[Route]:
    """Return the routes of others with which one of BIRD to the same network cannot be."""
    return [
        route
        for route in found
        if route.way.metric == BIRD_METRIC
        and route.way.table == route_wire.MAIN_TABLE
        and route.protocol not in (ROUTE_PROTOCOL, BIRD_PROTOCOL)
    ]


def _birds_among(found: t.Iterable[Route]) -> set[Network]:
    """Return the networks of routes to which a running BIRD has a route for the kernel, whether it is there or not."""
    networks = sorted({_destination(route) for route in found}, key=str)
    if not networks or not daemon.read().version:
        return set()
    answers = daemon.ask_all([f"show route {each} export podnet_kernel{each.version}" for each in networks])
    return {network for network, answer in zip(networks, answers) if f"{network} " in answer}


class Scene:
    """The routes of a host and what is known of them. ours: indexes of devices of ours.

    birds: networks to which BIRD has a route for the kernel, among those of others that have its metric.
    """

    def __init__(
        self,
        plan: Plan,
        found: list[Route],
        devices: Devices,
        ours: t.Collection[int],
        birds: t.Collection[Network] = (),
    ) -> None:
        self.plan, self.found, self.ours, self.birds = plan, found, ours, birds
        self.device = devices.name
        self.pools = [ipaddress.ip_network(cidr) for cidr in plan["nat"]["pools"]]
        self.own = [ipaddress.ip_network(cidr) for cidr in plan["blocks"]]
        self.bgp = plan["bgp"]
        planned = [route for part in ("routes", "standby") for route in plan[part] if route["type"] != "unreachable"]
        self.known = {*self.own, *(ipaddress.ip_network(route["destination"]) for route in planned)}

    def words(self, route: Route) -> str:
        """Return a route but for its name."""
        return route_wire.words_with_owner(route, self.device)

    def pool_of(self, network: Network) -> Network | None:
        """Return the pool that a network lies in."""
        return next((pool for pool in self.pools if _within(network, pool)), None)

    def way(self, route: Route) -> set[tuple[str, str]]:
        """Return gateways and devices of a route."""
        return {(address_text(hop.gateway) if hop.gateway else "", self.device(hop.device)) for hop in route.way.hops}


def _within(network: Network, other: Network) -> bool:
    return network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]


def _destination(route: Route) -> Network:
    return ipaddress.ip_network(route_wire.destination(route))


def of_bird(scene: Scene) -> t.Iterator[Finding]:
    """Yield what differs between BIRD's routes in the kernel and those that it should have put there."""
    there = {
        _destination(route): route
        for route in scene.found
        if route.protocol == BIRD_PROTOCOL and route.way.table == route_wire.MAIN_TABLE
    }
    expected = _expected_of_bird(scene)
    for network, words in sorted(expected.items(), key=lambda item: str(item[0])):
        route = there.get(network)
        if route is None:
            yield _of_birds(MISSING, network, words)
        elif not _same(scene, route, words):
            yield _of_birds(WRONG, network, words, scene.words(route))
    for network, route in there.items():
        if network not in expected and scene.pool_of(network) and not _by_a_router(scene, network, route):
            yield _of_birds(STALE, network, "", scene.words(route))


def _of_birds(category: str, network: Network, expected: str, actual: str = "") -> Finding:
    proto = f"{expected} proto bird" if expected else ""
    return finding(category, "route", str(network), proto, actual, remedy=_BIRDS_REMEDY.format(network))


def _expected_of_bird(scene: Scene) -> dict[Network, str]:
    """Return what BIRD should have in the kernel: own blocks, and what routes on standby would stand in for.

    Those of VXLAN pools it announces and leaves to us.
    """
    if scene.bgp is None:
        return {}
    families = scene.bgp["families"]
    vxlan = [ipaddress.ip_network(p["cidr"]) for family in families for p in family["pools"] if p["tunnel"] == "vxlan"]
    own = [ipaddress.ip_network(block) for family in families for block in family["blocks"]]
    own = [block for block in own if block.num_addresses > 1 and not any(_within(block, pool) for pool in vxlan)]
    expected = dict.fromkeys(own, "blackhole")
    for route in scene.plan["standby"]:
        expected[ipaddress.ip_network(route["destination"])] = f"via {route['gateway']} dev {route['device']}"
    return expected


def _same(scene: Scene, route: Route, words: str) -> bool:
    if words == "blackhole":
        return route.way.kind == route_wire.TYPES["blackhole"]
    return {f"via {gateway} dev {device}" for gateway, device in scene.way(route)} == {words}


def _by_a_router(scene: Scene, network: Network, route: Route) -> bool:
    """Tell whether a route may be right though no plan has it: to nodes of other subnets, where a router decides."""
    if scene.bgp is None:
        return False
    pools = [pool for family in scene.bgp["families"] for pool in family["pools"]]
    tunnel = {pool["tunnel"] for pool in pools if _within(network, ipaddress.ip_network(pool["cidr"]))}
    if tunnel - {""}:
        return False
    learned = [each for each in scene.found if each.protocol not in (BIRD_PROTOCOL, ROUTE_PROTOCOL)]
    gateways = {way[0] for each in learned for way in scene.way(each)}
    gateways |= {session["address"] for session in scene.bgp["sessions"] if session["peer"] is None}
    there = {way[0] for way in scene.way(route)}
    return bool(there) and there <= gateways - {""}


def of_others(scene: Scene) -> t.Iterator[Finding]:
    """Yield routes of others into the pools: to a block, or to a part of a pool; pods of the own blocks are none.

    And those to any network that keep a route of BIRD out of the kernel, since they have its metric.
    """
    expected = {*_expected_of_bird(scene), *scene.birds}
    clashing = [route for route in _with_birds_metric(scene.found) if _destination(route) in expected]
    for route in clashing:
        remedy = f"Give it another metric than {BIRD_METRIC}, or remove it"
        yield finding(FOREIGN, "route", route_wire.name(route), "", scene.words(route), _SAME_METRIC, remedy)
    for route in scene.found:
        network = _destination(route)
        pool = scene.pool_of(network)
        if pool is None or route.protocol in (ROUTE_PROTOCOL, BIRD_PROTOCOL) or route in clashing:
            continue
        pod = network.num_addresses == 1 and any(_within(network, block) for block in scene.own)
        ours = {hop.device for hop in route.way.hops}
        if pod or (ours and ours <= set(scene.ours)) or (network == pool and network not in scene.known):
            continue
        yield finding(FOREIGN, "route", route_wire.name(route), "", scene.words(route), _IN_THE_WAY)
