# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each managed object, broken by hand: check mode, the audit and the next deployment name exactly it.

In each round a different object is broken on each node, so that three are seen at once.
"""

from __future__ import annotations

import json
import typing as t

import pytest
from stage import Played, Stage

pytestmark = pytest.mark.nightly

Named = t.Set[str]
BLOCKS = {"node1": "10.244.166.128", "node2": "10.244.104.0", "node3": "10.244.135.0"}
MACS = {"node1": "66:f9:37:c3:7e:94", "node2": "66:2d:bf:44:a6:8b", "node3": "66:a4:6f:e0:c4:da"}
CONFLIST = "/etc/cni/net.d/10-podnet-calico.conflist"
DROP_IN = "/etc/systemd/system/bird.service.d/podnet-calico.conf"
PROTOS = "/etc/iproute2/rt_protos.d/podnet-calico.conf"
BIRD = "/etc/bird/podnet-calico.conf"
RESTORE, UNIT = "/etc/podnet-calico/restore", "podnet-calico.service"
REPLACED = "replace tunnel vxlan.calico"


class Drift(t.NamedTuple):
    """What is done to a node; what a deployment changes then, by module or task; and what an audit finds."""

    command: str
    changes: Named
    findings: Named


def route_of(node: str) -> str:
    return f"route {BLOCKS[node]}/26"


def others(node: str) -> list[str]:
    return [other for other in BLOCKS if other != node]


def without_way(node: str, changed: str) -> tuple[Named, Named]:
    """Return changes and findings for a device through which nothing goes any more: the kernel drops its routes."""
    routes = {route_of(other) for other in others(node)}
    found = f"{'missing' if changed.startswith('create') else 'wrong'} tunnel vxlan.calico"
    return {changed, *(f"create {route}" for route in routes)}, {found, *(f"missing {route}" for route in routes)}


def without_neighbours(node: str) -> Named:
    """Return findings for a device that was down, or got another address: the kernel forgets its neighbours."""
    return {f"missing neighbour {BLOCKS[other]} dev vxlan.calico" for other in others(node)}


def peer(node: str) -> str:
    """Return the node that is named where something about one other node is broken."""
    return others(node)[0]


def neighbour(node: str, category: str) -> str:
    return f"{category} neighbour {BLOCKS[peer(node)]} dev vxlan.calico"


def fdb(node: str, category: str) -> str:
    return f"{category} fdb {MACS[peer(node)]} dev vxlan.calico"


def forgetful(node: str, command: str) -> Drift:
    """Return what happens where both routes and neighbours go."""
    changes, findings = without_way(node, REPLACED)
    return Drift(command, changes, findings | without_neighbours(node))


SPARED = ("spare IPIP", "spare VXLAN")  # from masquerading

VXLAN: dict[str, t.Callable[[str], Drift]] = {
    "route deleted": lambda node: Drift(
        f"ip route del {BLOCKS[peer(node)]}/26", {f"create {route_of(peer(node))}"}, {f"missing {route_of(peer(node))}"}
    ),
    "route with another gateway": lambda node: Drift(
        f"ip route replace {BLOCKS[peer(node)]}/26 via 192.0.2.1 dev eth0 onlink proto 98",
        {f"replace {route_of(peer(node))}"},
        {f"wrong {route_of(peer(node))}"},
    ),
    "route too many": lambda node: Drift(
        "ip route add 10.244.250.0/26 via 192.0.2.1 dev eth0 onlink proto 98",
        {"delete route 10.244.250.0/26"},
        {"stale route 10.244.250.0/26"},
    ),
    "tunnel deleted": lambda node: Drift("ip link del vxlan.calico", *without_way(node, "create tunnel vxlan.calico")),
    "tunnel down": lambda node: forgetful(node, "ip link set vxlan.calico down"),
    "tunnel with another MTU": lambda node: Drift(
        "ip link set vxlan.calico mtu 1300", {REPLACED}, {"wrong tunnel vxlan.calico"}
    ),
    "tunnel with another MAC": lambda node: Drift(
        "ip link set vxlan.calico address 66:00:00:00:00:09",
        {REPLACED},
        {"wrong tunnel vxlan.calico", *without_neighbours(node)},
    ),
    "address removed": lambda node: forgetful(node, f"ip addr del {BLOCKS[node]}/32 dev vxlan.calico"),
    "FDB entry deleted": lambda node: Drift(
        f"bridge fdb del {MACS[peer(node)]} dev vxlan.calico", {REPLACED}, {fdb(node, "missing")}
    ),
    "FDB entry with another host": lambda node: Drift(
        f"bridge fdb replace {MACS[peer(node)]} dev vxlan.calico dst 192.0.2.99", {REPLACED}, {fdb(node, "wrong")}
    ),
    "neighbour deleted": lambda node: Drift(
        f"ip neigh del {BLOCKS[peer(node)]} dev vxlan.calico", {REPLACED}, {neighbour(node, "missing")}
    ),
    "sysctl": lambda node: Drift(
        "sysctl -qw net.ipv4.ip_forward=0", {"replace sysctl net.ipv4.ip_forward"}, {"wrong sysctl net.ipv4.ip_forward"}
    ),
    "rule deleted": lambda node: Drift(
        "nft flush chain inet podnet_calico postrouting;"
        "nft add rule inet podnet_calico postrouting ip saddr @masquerade4 ip daddr != @pools4"
        """ masquerade fully-random comment '"pods IPv4"'""",
        {f"create nat rule {name}" for name in (*SPARED, "tunnel vxlan.calico")},
        {f"missing nat rule {name}" for name in (*SPARED, "tunnel vxlan.calico")},
    ),
    "element of a set deleted": lambda node: Drift(
        "nft delete element inet podnet_calico pools4 '{ 10.244.0.0/16 }'",
        {"create nat pool 10.244.0.0/16"},
        {"missing nat pool 10.244.0.0/16"},
    ),
    "table deleted": lambda node: Drift(
        "nft delete table inet podnet_calico", TABLE_MADE | guard_made(node), {"missing nat table podnet_calico"}
    ),
    "stranger trusted": lambda node: Drift(
        "nft add element inet podnet_calico nodes4 '{ 192.0.2.99 }'",
        {"delete guard node 192.0.2.99"},
        {"stale guard node 192.0.2.99"},
    ),
    "guard's rule deleted": lambda node: Drift(
        "nft flush chain inet podnet_calico output",
        {"create guard rule VXLAN to nodes IPv4"},
        {"missing guard rule VXLAN to nodes IPv4"},
    ),
    "guard's chain with a rule more": lambda node: Drift(
        """nft add rule inet podnet_calico pods accept comment '"mine"'""",
        {"delete guard rule mine"},
        {"stale guard rule mine"},
    ),
    "network edited": lambda node: Drift(
        f"sed -i s/1450/1400/ {CONFLIST}",
        {f"replace network {CONFLIST}"},
        {f"wrong network {CONFLIST}"},
    ),
    "network removed": lambda node: Drift(
        f"rm {CONFLIST}", {f"create network {CONFLIST}"}, {f"missing network {CONFLIST}"}
    ),
    "name of the protocol": lambda node: Drift(
        f"sed -i s/podnet$/other/ {PROTOS}", {f"replace file {PROTOS}"}, {f"wrong file {PROTOS}"}
    ),
}
TABLE_MADE = {
    f"create nat {what}"
    for what in (
        "table podnet_calico",
        "chain postrouting",
        "set masquerade4",
        "set pools4",
        "masquerade 10.244.0.0/16",
        "pool 10.244.0.0/16",
        *(f"rule {name}" for name in (*SPARED, "pods IPv4", "tunnel vxlan.calico")),
    )
}
GUARD_RULES = (
    *("from pods", "from containers", "VXLAN of nodes IPv4", "VXLAN to nodes IPv4", "VXLAN of strangers"),
    *("from pools IPv4", "to pools IPv4", "from nodes IPv4", "from this node", "routes of containers"),
    *("forged source", "IPIP of pods", "VXLAN of pods", "routes of pods", "VXLAN of other networks"),
    *("to loopback", "loopback of pods", "forged source to published ports IPv4"),
)


def guard_made(node: str) -> set[str]:
    """Return what is made of a node's guard with its table."""
    parts = {f"chain {name}" for name in ("prerouting", "translated", "output", "containers", "pods")} | {"set nodes4"}
    others = {f"node 192.0.2.{10 + number}" for number in (1, 2, 3) if node != f"node{number}"}
    return {f"create guard {what}" for what in parts | others | {f"rule {name}" for name in GUARD_RULES}}


BOOT: dict[str, t.Callable[[str], Drift]] = {
    "restore file edited": lambda node: Drift(
        f"echo '# by hand' >>{RESTORE}", {f"replace file {RESTORE}"}, {f"wrong file {RESTORE}"}
    ),
    "restore file removed": lambda node: Drift(
        f"rm {RESTORE}", {f"create file {RESTORE}"}, {f"missing file {RESTORE}"}
    ),
    "unit disabled": lambda node: Drift(
        "systemctl disable podnet-calico", {f"replace unit {UNIT}"}, {f"wrong unit {UNIT}"}
    ),
}
VXLAN.update(BOOT)

BIRDS: dict[str, t.Callable[[str], Drift]] = {
    "configuration edited": lambda node: Drift(
        f"echo '# by hand' >>{BIRD}", {f"replace file {BIRD}"}, {f"wrong file {BIRD}"}
    ),
    "drop-in removed": lambda node: Drift(f"rm {DROP_IN}", {f"create file {DROP_IN}"}, {f"missing file {DROP_IN}"}),
    "rule deleted": lambda node: Drift(
        "nft delete rule inet podnet_calico postrouting handle"
        " $(nft -a list table inet podnet_calico | sed -n 's/.*pods IPv4.*handle //p')",
        {"create nat rule pods IPv4"},
        {"missing nat rule pods IPv4"},
    ),
}


def rounds(drifts: dict[str, t.Callable[[str], Drift]], at_once: int) -> list[t.Any]:
    """Return lists of things to break together, one list for each of three nodes, so that all is broken once."""
    names = list(drifts)
    number = len(names) // (3 * at_once)
    found = []
    for place in range(number):
        threes = [names[place * 3 + node :: number * 3] for node in range(3)]
        made = [[drifts[name] for name in names_of_node] for names_of_node in threes]
        found.append(pytest.param(made, id="; ".join(" and ".join(each) for each in threes)))
    return found


def changes_by_node(played: Played) -> dict[str, Named]:
    """Return what was changed on each node: changes that our modules name, else the task."""
    found: dict[str, Named] = {}
    for result in played.results:
        if result.changed:
            found.setdefault(result.delegate, set()).update(result.changes or [result.task.rpartition(" : ")[2]])
    return found


def findings_by_place(stage: Stage) -> dict[str, Named]:
    """Return what an audit finds, by node, in words."""
    file = stage.lab.files / "audit.json"
    arguments = ("-e", f"calico_audit_report={file}", "-e", "calico_audit_fail_on=never")
    assert stage.succeed("audit", *arguments).changed == []
    places = json.loads(file.read_text())["places"]
    return {
        place: {f"{each['category']} {each['kind']} {each['name']}" for each in found}
        for place, found in places.items()
        if found
    }


def check_and_repair(stage: Stage, made: list[list[t.Callable[[str], Drift]]]) -> None:
    """Break things on each node, and see that three tools name them, and the last of them repairs them."""
    drifts = {node: [make(node) for make in makers] for node, makers in zip(stage.names, made)}
    for node, broken in drifts.items():
        stage.ask(node, "\n".join(["set -e", *(drift.command for drift in broken)]))
    changes = {node: set().union(*(drift.changes for drift in broken)) for node, broken in drifts.items()}
    found = {node: set().union(*(drift.findings for drift in broken)) for node, broken in drifts.items()}
    predicted = stage.succeed("deploy", "--check", "--diff")
    assert changes_by_node(predicted) == changes
    assert findings_by_place(stage) == found
    assert changes_by_node(stage.succeed("deploy")) == changes


@pytest.fixture(scope="module")
def vxlan(stage: Stage) -> Stage:
    """Return three deployed nodes."""
    stage.deployed(3)
    return stage


@pytest.mark.parametrize("made", rounds(VXLAN, at_once=2))
def test_every_object_of_a_vxlan_node(vxlan: Stage, made: list[list[t.Callable[[str], Drift]]]) -> None:
    check_and_repair(vxlan, made)


@pytest.fixture(scope="module")
def routed(stage: Stage) -> Stage:
    """Return three deployed nodes with BIRD."""
    stage.deployed(3, "None")
    return stage


@pytest.mark.parametrize("made", rounds(BIRDS, at_once=1))
def test_every_object_of_a_node_with_bird(routed: Stage, made: list[list[t.Callable[[str], Drift]]]) -> None:
    check_and_repair(routed, made)


def test_a_bird_that_was_stopped(routed: Stage) -> None:
    routed.ask("node2", "systemctl stop bird")
    predicted = routed.succeed("deploy", "--check")
    assert changes_by_node(predicted) == {"node2": {"replace unit bird.service"}}
    found = findings_by_place(routed)
    assert found.pop("node2") == {"wrong service bird.service"}
    session, route = "wrong session bgp_192_0_2_12", f"missing {route_of('node2')}"
    # Its peers keep its routes for the time of a graceful restart only, which a slow machine may need until here.
    assert {node: named - {route} for node, named in found.items()} == {"node1": {session}, "node3": {session}}
    assert changes_by_node(routed.succeed("deploy")) == {"node2": {"replace unit bird.service"}}
    assert findings_by_place(routed) == {}
