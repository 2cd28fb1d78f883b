# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_tunnel against this kernel; the oracle is `ip` and `bridge`."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result, both_pyroute2s
from ansible_collections.podnet.calico.tests.kernel.vxlan import NAME, PEER2, PEER3, VXLAN, expected, tunnels, view

pytestmark = both_pyroute2s


def test_life_of_a_vxlan(host: Namespace, converge: RunModule) -> None:
    before = host.state()
    done = converge("calico_tunnel", tunnels())
    assert done["changes"] == [{"action": "create", "kind": "tunnel", "name": NAME}]
    assert view(host) == expected()
    assert host.link(NAME)["ifalias"] == "podnet.calico tunnel"
    converge("calico_tunnel", {**tunnels(), "state": "absent"})
    assert host.state() == before


IN_PLACE: dict[str, Result] = {
    "peer added": {"peers": [PEER2, PEER3]},
    "peers removed": {"peers": []},
    "peer replaced": {"peers": [PEER3]},
    "peer's MAC": {"peers": [{**PEER2, "mac": "66:00:00:00:00:99"}]},
    "peer's underlay": {"peers": [{**PEER2, "underlay": "192.0.2.99"}]},
    "address": {"address": "10.244.0.9/32"},
    "mtu": {"mtu": 1400},
    "mac": {"mac": "66:00:00:00:00:0a"},
}


@pytest.mark.parametrize("changed", IN_PLACE.values(), ids=IN_PLACE)
def test_changed_in_place(host: Namespace, run_module: RunModule, converge: RunModule, changed: Result) -> None:
    run_module("calico_tunnel", tunnels())
    index = host.link(NAME)["ifindex"]
    done = converge("calico_tunnel", tunnels(**changed))
    assert [change["action"] for change in done["changes"]] == ["replace"]
    assert "made anew" not in done["diff"]["before"]
    assert view(host) == expected(**changed)
    assert host.link(NAME)["ifindex"] == index


def test_a_neighbour_that_moved_is_reached_by_its_old_address_until_routes_have_followed(
    host: Namespace, run_module: RunModule, converge: RunModule
) -> None:
    run_module("calico_tunnel", tunnels())
    changed = {"peers": [{**PEER2, "address": "10.244.1.9"}]}
    done = converge("calico_tunnel", tunnels(**changed))
    assert done["surplus"] == [NAME]
    assert view(host)["neighbours"] == dict.fromkeys((PEER2["address"], "10.244.1.9"), PEER2["mac"])
    converge("calico_tunnel", {**tunnels(**changed), "exclusive": True})
    assert view(host) == expected(**changed)
    assert run_module("calico_tunnel", tunnels(**changed))["surplus"] == []


ANEW: dict[str, Result] = {
    "vni": {"vni": 4097},
    "port": {"port": 8472},
    "local": {"local": "192.0.2.10"},
    "parent": {"parent": "eth1"},
}


@pytest.mark.parametrize("field", ANEW)
def test_made_anew_where_the_kernel_cannot_change(
    host: Namespace, run_module: RunModule, converge: RunModule, field: str
) -> None:
    run_module("calico_tunnel", tunnels())
    index = host.link(NAME)["ifindex"]
    done = converge("calico_tunnel", tunnels(**ANEW[field]))
    assert f'device: "deleted and made anew: {field}"' in done["diff"]["before"]
    assert view(host) == expected(**ANEW[field])
    assert host.link(NAME)["ifindex"] != index


@pytest.mark.parametrize("check", [True, False], ids=["check mode", "run"])
def test_a_device_of_another_kind_is_refused(host: Namespace, run_module: RunModule, check: bool) -> None:
    host.ip(f"link add {NAME} type bridge")
    before = host.state()
    failed = run_module("calico_tunnel", tunnels(), check=check)
    assert failed["msg"] == (
        f"configure tunnel {NAME}: a device of that name exists, of kind bridge. Remove or rename it"
    )
    assert host.state() == before


@pytest.mark.parametrize("learning", ["nolearning", "learning"])
def test_a_vxlan_made_by_hand_is_adopted(host: Namespace, converge: RunModule, learning: str) -> None:
    host.ip(
        f"link add {NAME} address {VXLAN['mac']} type vxlan id 4096 dstport 4789 dev eth0 local 192.0.2.11 {learning}"
    )
    index = host.link(NAME)["ifindex"]
    converge("calico_tunnel", tunnels())
    assert view(host) == expected()
    assert host.link(NAME)["ifindex"] == index
    assert host.link(NAME)["ifalias"] == "podnet.calico tunnel"


DRIFTS = {
    "address removed": "ip addr del 10.244.0.1/32 dev vxlan.calico",
    "second address": "ip addr add 10.244.0.77/32 dev vxlan.calico",
    "forwarding entry deleted": "bridge fdb del 66:00:00:00:00:02 dev vxlan.calico dst 192.0.2.12",
    "forwarding entry to another port": "bridge fdb replace 66:00:00:00:00:02 dev vxlan.calico dst 192.0.2.12 port 99",
    "forwarding entry of another VNI": "bridge fdb replace 66:00:00:00:00:02 dev vxlan.calico dst 192.0.2.12 vni 99",
    "forwarding entry too many": "bridge fdb add 66:00:00:00:00:77 dev vxlan.calico dst 192.0.2.77",
    "neighbour deleted": "ip neigh del 10.244.1.0 dev vxlan.calico",
    "link down": "ip link set vxlan.calico down",
    "MTU": "ip link set vxlan.calico mtu 1300",
    "device deleted": "ip link del vxlan.calico",
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS)
def test_drift_is_repaired(host: Namespace, run_module: RunModule, converge: RunModule, drift: str) -> None:
    run_module("calico_tunnel", tunnels())
    host.run(drift)
    assert converge("calico_tunnel", tunnels())["changed"] is True
    assert view(host) == expected()


@pytest.mark.parametrize("mac", [PEER2["mac"], "66:00:00:00:00:77"], ids=["of a peer", "of nobody"])
@pytest.mark.parametrize("state", ["permanent", "static"])
def test_a_forwarding_entry_to_a_group_of_others_goes(
    host: Namespace, run_module: RunModule, converge: RunModule, mac: str, state: str
) -> None:
    """The kernel answers its replacement with success and does nothing."""
    run_module("calico_tunnel", tunnels())
    host.batch("nexthop add id 1 via 192.0.2.99 fdb", "nexthop add id 10 group 1 fdb")
    host.run(f"bridge fdb del {mac} dev {NAME}", check=False)
    host.run(f"bridge fdb add {mac} dev {NAME} nhid 10 self {state}")
    done = converge("calico_tunnel", tunnels())
    assert [change["name"] for change in done["changes"]] == [NAME]
    assert "nhid" not in host.run(f"bridge fdb show dev {NAME}").stdout
    assert view(host) == expected()


def test_exclusive_removes_only_ours(host: Namespace, run_module: RunModule, converge: RunModule) -> None:
    host.ip("link add other type vxlan id 7 dstport 9999 dev eth1")
    second = {**VXLAN, "name": "vxlan-v6.calico", "vni": 4099, "address": "10.244.0.3/32"}
    run_module("calico_tunnel", {"tunnels": [VXLAN, second]})
    assert run_module("calico_tunnel", tunnels())["surplus"] == ["vxlan-v6.calico"]
    done = converge("calico_tunnel", {**tunnels(), "exclusive": True})
    assert done["changes"] == [{"action": "delete", "kind": "tunnel", "name": "vxlan-v6.calico"}]
    assert {link["ifname"] for link in host.show("link show type vxlan")} == {"other", NAME}


def test_ipv6_in_any_spelling(host: Namespace, converge: RunModule) -> None:
    peer = {"address": "FD00:0:0::2", "mac": "66-00-00-00-00-0B", "underlay": "2001:DB8:0:0::12"}
    converge("calico_tunnel", tunnels(address="FD00::1/128", local="2001:DB8:0::11", mtu=1430, peers=[peer]))
    assert host.fdb(NAME) == {"66:00:00:00:00:0b": "2001:db8::12"}
    assert [row["dst"] for row in host.show(f"neigh show dev {NAME} nud permanent")] == ["fd00::2"]


INVALID: dict[str, tuple[Result, str]] = {
    "address": ({"address": "10.244.0.300/32"}, 'tunnel vxlan.calico: address "10.244.0.300/32" is not an address'),
    "mac": ({"mac": "66:zz"}, 'tunnel vxlan.calico: mac "66:zz" is not a MAC'),
    "no vni": ({"vni": None}, "a vxlan needs the option vni"),
    "twice": ({"name": "good"}, "tunnels: good is listed twice"),
    "peer": ({"peers": [{**PEER2, "underlay": "node2"}]}, 'peers.underlay "node2" is not an address'),
}


@pytest.mark.parametrize(("changed", "text"), INVALID.values(), ids=INVALID)
def test_invalid_input_touches_nothing(host: Namespace, run_module: RunModule, changed: Result, text: str) -> None:
    before = host.state()
    failed = run_module("calico_tunnel", {"tunnels": [{**VXLAN, "name": "good"}, {**VXLAN, **changed}]})
    assert failed["failure"]["kind"] == "InvalidInput"
    assert text in failed["msg"]
    assert host.state() == before


@pytest.mark.skipif(Path("/sys/module/ipip").exists(), reason="this kernel has ipip; the lab with IPIP tests it")
def test_a_kernel_without_ipip_is_named(run_module: RunModule) -> None:
    tunnel = {"kind": "ipip", "name": "tunl0", "address": "10.244.0.1/32", "mtu": 1480}
    failed = run_module("calico_tunnel", {"tunnels": [tunnel]})
    assert failed["msg"].startswith("create tunnel tunl0: ")
    assert "This kernel lacks the feature" in failed["msg"]
