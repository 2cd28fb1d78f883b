# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit against this kernel: findings of each category, as a plan's own appliers and iproute2 leave things."""

from __future__ import annotations

import ipaddress
import os
import shutil
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.kernel import guard
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result, with_pyroute2
from ansible_collections.podnet.calico.tests.unit.planner.clusters import cluster, plan_all, plans, pool, seen

RunModule = t.Callable[..., Result]
NODES = {"node1": "192.0.2.11/24", "node2": "192.0.2.12/24", "node3": "192.0.2.13/24"}
KERNEL = ("fdb", "guard", "nat", "neighbour", "route", "tunnel")  # files are those of this machine
SECOND, THIRD = "10.244.104.0", "10.244.135.0"  # the blocks of node2 and node3
VIA_TUNNEL = f"via {SECOND} dev vxlan.calico onlink"


def found(run_module: RunModule, plan: Result) -> list[tuple[str, str, str, str, str]]:
    """Return what an audit finds in the kernel; it has to leave the host as it was."""
    result = run_module("calico_audit", {"plan": plan})
    assert result["changed"] is False
    parts = ("category", "kind", "name", "expected", "actual")
    return [tuple(each[part] for part in parts) for each in result["findings"] if each["kind"] in KERNEL]  # type: ignore[misc]


@pytest.fixture
def plan(host: Namespace, run_module: RunModule) -> Result:
    """Return the plan of a node with VXLAN and NAT, which is in place on the host."""
    made: Result = plans(cluster(pool(natOutgoing=True), nodes=NODES), NODES)["node1"]
    for module, options in (
        ("calico_tunnel", {"tunnels": made["tunnels"]}),
        ("calico_route", {"routes": made["routes"]}),
        ("calico_nat", {**made["nat"], "tunnels": ["vxlan.calico"], "guard": guard.of_plan(made)}),
    ):
        assert not run_module(module, options).get("failed")
    return made


@with_pyroute2
def test_addresses_noted_for_containers_that_are_gone_are_stale(
    host: Namespace, plan: Result, run_module: RunModule
) -> None:
    used, gone, new = (str(ipaddress.ip_network(plan["blocks"][0])[number]) for number in (5, 6, 7))
    host.ip("link add cali1 type veth peer name pod1")
    host.ip("link set cali1 up")
    host.ip(f"route add {used} dev cali1")
    folder = Path("/run/podnet-calico/cni/podnet-calico")
    folder.mkdir(parents=True)
    for name in (used, gone, new, "192.0.2.99", "lock", "last_reserved_ip.0"):
        (folder / name).write_text("0123456789abcdef\r\neth0")
        os.utime(folder / name, (0, 0 if name != new else time.time()))
    result = run_module("calico_audit", {"plan": plan})
    shutil.rmtree(folder.parents[1])
    leases = [
        (each["category"], each["name"], each["actual"]) for each in result["findings"] if each["kind"] == "lease"
    ]
    assert leases == [("stale", str(folder / gone), "container 0123456789ab")]


@with_pyroute2
@pytest.mark.parametrize("version", [4, 6])
def test_packets_into_a_vxlan_that_is_down_are_refused(version: int, host: Namespace, run_module: RunModule) -> None:
    nodes = NODES if version == 4 else {name: f"2001:db8::1{name[-1]}/64" for name in NODES}
    gateway, cidr = ("192.0.2.9", "10.244.0.0/16") if version == 4 else ("2001:db8::9", "fd00:10::/48")
    made: Result = plans(cluster(pool(cidr=cidr), nodes=nodes), nodes)["node1"]
    (tunnel,) = made["tunnels"]
    pod = str(ipaddress.ip_network(made["routes"][0]["destination"])[5])
    host.ip(f"-{version} route replace default via {gateway} dev eth0")
    for __ in range(2):
        done = [
            run_module("calico_tunnel", {"tunnels": made["tunnels"]}),
            run_module("calico_route", made_routes(made)),
        ]
        assert not [each for each in done if each.get("failed")], done
        assert f"dev {tunnel['name']}" in host.run(f"ip -{version} route get {pod}").stdout
        assert run_module("calico_route", made_routes(made))["changed"] is False
        host.ip(f"link set {tunnel['name']} down")
        assert host.run(f"ip -{version} route get {pod}", check=False).returncode != 0


def made_routes(plan: Result) -> Result:
    return {"routes": plan["routes"], "exclusive": True}


CASES: dict[str, tuple[list[str], list[tuple[str, ...]]]] = {
    "nothing": ([], []),
    "a route is missing": (
        [f"ip route del {SECOND}/26"],
        [("missing", "route", f"{SECOND}/26", VIA_TUNNEL, "")],
    ),
    "a route of others is where ours should be, another one within a pool, and one is theirs alone": (
        [
            f"ip route del {SECOND}/26",
            f"ip route add {SECOND}/26 via 192.0.2.9 proto static",
            "ip route add 10.244.250.0/24 dev eth1 proto 99",
            "ip route add 10.243.0.0/16 dev eth1 proto 99",
        ],
        [
            ("foreign", "route", f"{SECOND}/26", VIA_TUNNEL, "via 192.0.2.9 dev eth0 proto static"),
            ("foreign", "route", "10.244.250.0/24", "", "dev eth1 scope link proto 99"),
        ],
    ),
    "two of others at once": (
        [f"ip route add {block}/26 via 192.0.2.9 metric 7 proto static" for block in (SECOND, THIRD)],
        [
            ("foreign", "route", f"{block}/26 metric 7", "", "via 192.0.2.9 dev eth0 proto static")
            for block in (SECOND, THIRD)
        ],
    ),
    "a pod that a CNI plugin has connected is nothing of others": (
        ["ip route add 10.244.166.140/32 dev eth1"],
        [],
    ),
    "a route and a tunnel are left of another plan": (
        [
            "ip route add 10.244.9.0/26 via 192.0.2.9 proto 98",
            "ip link add old0 type vxlan id 7 dstport 4790 local 192.0.2.11 dev eth0",
            "ip link set old0 mtu 1400 address 66:00:00:00:00:01 alias podnet.calico",
        ],
        [
            ("stale", "route", "10.244.9.0/26", "", "via 192.0.2.9 dev eth0"),
            (
                *("stale", "tunnel", "old0", ""),
                "kind vxlan, local 192.0.2.11, mac 66:00:00:00:00:01, mtu 1400, parent eth0, port 4790, vni 7",
            ),
        ],
    ),
    "a device of another kind has our name": (
        ["ip link del vxlan.calico", "ip link add vxlan.calico type bridge"],
        [
            ("missing", "route", f"{SECOND}/26", VIA_TUNNEL, ""),
            ("missing", "route", f"{THIRD}/26", f"via {THIRD} dev vxlan.calico onlink", ""),
            ("foreign", "tunnel", "vxlan.calico", "vxlan", "bridge"),
        ],
    ),
    "somebody took our mark off": (
        ["ip link set vxlan.calico alias mine"],
        [("foreign", "tunnel", "vxlan.calico", "a device of ours", "one without our mark")],
    ),
    "another VNI": (
        [
            "ip link del vxlan.calico",
            "ip link add vxlan.calico mtu 1450 address 66:f9:37:c3:7e:94 type vxlan id 7 dstport 4789 local 192.0.2.11"
            " dev eth0 nolearning",
        ],
        [],  # see the test
    ),
    "the table is gone": (
        ["nft delete table inet podnet_calico"],
        [("missing", "nat", "table podnet_calico", "there", "")],
    ),
    "a rule by hand": (
        ["nft add rule inet podnet_calico postrouting counter"],
        [("stale", "nat", "rule 5", "", "chain postrouting, ")],
    ),
    "the guard trusts a stranger, and not a node": (
        [
            "nft add element inet podnet_calico nodes4 { 192.0.2.99 }",
            "nft delete element inet podnet_calico nodes4 { 192.0.2.12 }",
        ],
        [
            ("missing", "guard", "node 192.0.2.12", "there", ""),
            ("stale", "guard", "node 192.0.2.99", "", "there"),
        ],
    ),
}


@with_pyroute2
@pytest.mark.parametrize("case", sorted(set(CASES) - {"another VNI"}))
def test_each_category_is_found_and_named(host: Namespace, plan: Result, run_module: RunModule, case: str) -> None:
    commands, expected = CASES[case]
    for command in commands:
        host.run(command)
    before = host.routes("")
    actual = [(*each[:4], each[4][:99]) for each in found(run_module, plan)]
    assert [each[:4] for each in actual] == [each[:4] for each in expected]
    assert all(there[4].startswith(wanted[4]) for there, wanted in zip(actual, expected))
    assert host.routes("") == before


@with_pyroute2
def test_another_vni_is_wrong_and_what_the_new_device_lacks_is_missing(
    host: Namespace, plan: Result, run_module: RunModule
) -> None:
    for command in CASES["another VNI"][0]:
        host.run(command)
    names = [each[:3] for each in found(run_module, plan)]
    assert ("wrong", "tunnel", "vxlan.calico") in names
    assert ("missing", "neighbour", f"{SECOND} dev vxlan.calico") in names
    assert ("missing", "route", f"{SECOND}/26") in names


BIRD_ROUTES = [
    "ip route add blackhole 10.244.166.128/26 proto bird metric 32",
    f"ip route add {SECOND}/26 via 192.0.2.12 proto bird metric 32",
    f"ip route add {THIRD}/26 via 192.0.2.13 proto bird metric 32",
    "ip route add 169.254.1.1 dev lo scope link proto 98",
]


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        ([], []),
        (
            [f"ip route del {SECOND}/26", "ip route del 10.244.166.128/26"],
            [
                ("missing", "route", "10.244.104.0/26", "via 192.0.2.12 dev eth0 proto bird", ""),
                ("missing", "route", "10.244.166.128/26", "blackhole proto bird", ""),
            ],
        ),
        (
            [f"ip route replace {SECOND}/26 via 192.0.2.19 proto bird metric 32"],
            [
                (
                    *("wrong", "route", "10.244.104.0/26"),
                    "via 192.0.2.12 dev eth0 proto bird",
                    "via 192.0.2.19 dev eth0 proto bird",
                )
            ],
        ),
        (
            ["ip route add 10.244.9.0/26 via 192.0.2.19 proto bird metric 32"],
            [("stale", "route", "10.244.9.0/26", "", "via 192.0.2.19 dev eth0 proto bird")],
        ),
        # A node of another subnet, to which the underlay's router leads.
        (
            ["ip route add default via 192.0.2.1", "ip route add 10.244.9.0/26 via 192.0.2.1 proto bird metric 32"],
            [],
        ),
        (
            [
                f"ip route del {SECOND}/26",
                f"ip route add {SECOND}/26 via 192.0.2.12 table 99 proto bird",
                "ip route add 10.244.9.0/26 via 192.0.2.19 table 99 proto bird",
                "ip route add blackhole 10.244.10.0/26 proto bird metric 32",
            ],
            [
                ("missing", "route", "10.244.104.0/26", "via 192.0.2.12 dev eth0 proto bird", ""),
                ("stale", "route", "10.244.10.0/26", "", "blackhole proto bird"),
            ],
        ),
    ],
    ids=["as planned", "missing", "wrong gateway", "of a node that is gone", "through a router", "in another table"],
)
def test_routes_of_bird(
    host: Namespace, run_module: RunModule, commands: list[str], expected: list[tuple[str, ...]]
) -> None:
    stored = cluster(pool(encapsulation="None"), nodes=NODES)
    plan = plan_all(stored, seen(NODES), "enabled", standby=True, guard=False)["node1"]
    for command in (*BIRD_ROUTES, *commands):
        host.run(command)
    assert found(run_module, plan) == expected


def test_own_blocks_of_vxlan_pools_are_not_expected_of_bird(host: Namespace, run_module: RunModule) -> None:
    plan = plan_all(cluster(pool(encapsulation="VXLAN"), nodes=NODES), seen(NODES), "enabled")["node1"]
    assert plan["bgp"]["families"][0]["blocks"]
    assert [each for each in found(run_module, plan) if "proto bird" in each[3]] == []
