# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""calico_tunnel on a host with several tunnels, many peers, and devices of others; the oracle is `ip` and `bridge`."""

from __future__ import annotations

import subprocess
import typing as t

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result, both_pyroute2s
from ansible_collections.podnet.calico.tests.kernel.vxlan import (
    NAME,
    NAME6,
    PEER2,
    PEER6,
    VXLAN,
    VXLAN6,
    expected,
    tunnels,
    view,
)

pytestmark = both_pyroute2s


def test_life_of_both_ip_versions_side_by_side(host: Namespace, converge: RunModule) -> None:
    before = host.state()
    both = {"tunnels": [VXLAN, VXLAN6]}
    done = converge("calico_tunnel", both)
    assert [change["name"] for change in done["changes"]] == [NAME6, NAME]
    assert (view(host), view(host, NAME6)) == (expected(), expected(VXLAN6))
    peer3 = {**PEER6, "address": "fd00:3::", "mac": "66:00:00:00:06:03", "underlay": "2001:db8::13"}
    changed = {"peers": [peer3, {**PEER6, "underlay": "2001:db8::22"}], "address": "fd00:1::9/128"}
    done = converge("calico_tunnel", {"tunnels": [VXLAN, {**VXLAN6, **changed}]})
    assert [(change["action"], change["name"]) for change in done["changes"]] == [("replace", NAME6)]
    assert (view(host), view(host, NAME6)) == (expected(), expected(VXLAN6, **changed))
    converge("calico_tunnel", {"tunnels": [VXLAN6], "state": "absent"})
    assert view(host) == expected()
    converge("calico_tunnel", {**both, "state": "absent"})
    assert host.state() == before


DRIFTS6 = {
    "address removed": f"ip addr flush dev {NAME6} scope global",
    "second address": f"ip addr add fd00:1::77/128 dev {NAME6}",
    "IPv4 address": f"ip addr add 10.244.0.77/32 dev {NAME6}",
    "forwarding entry": f"bridge fdb replace {PEER6['mac']} dev {NAME6} dst 2001:db8::99",
    "surplus forwarding entry": f"bridge fdb add 66:00:00:00:00:77 dev {NAME6} dst 2001:db8::77",
    "neighbour": f"ip neigh replace fd00:2:: lladdr 66:00:00:00:00:77 dev {NAME6} nud permanent",
    "surplus neighbour": f"ip neigh add fd00:77:: lladdr 66:00:00:00:00:77 dev {NAME6} nud permanent",
    "MAC": f"ip link set {NAME6} address 66:00:00:00:00:77",
    "down": f"ip link set {NAME6} down",
    "learning": f"ip link set {NAME6} type vxlan learning",
}


def test_drift_of_the_ipv6_device_is_repaired_in_place(
    host: Namespace, run_module: RunModule, converge: RunModule
) -> None:
    both = {"tunnels": [VXLAN, VXLAN6]}
    run_module("calico_tunnel", both)
    index = host.link(NAME6)["ifindex"]
    for name, drift in DRIFTS6.items():
        host.run(drift)
        done = converge("calico_tunnel", both)
        assert (name, [change["name"] for change in done["changes"]]) == (name, [NAME6])
        assert (name, view(host, NAME6), view(host)) == (name, expected(VXLAN6), expected())
    assert host.link(NAME6)["ifindex"] == index


def test_packets_cross_both_tunnels(
    new_namespace: t.Callable[[str], Namespace], host: Namespace, modules: t.Any, run_module: RunModule
) -> None:
    """Two nodes, each as the module makes it, and a ping from tunnel address to tunnel address."""
    other = new_namespace("node2")
    host.ip(f"link add fabric type veth peer name fabric netns {other.name}")
    host.batch(
        "link set fabric up", "addr add 198.51.100.1/24 dev fabric", "addr add 2001:db8:f::1/64 dev fabric nodad"
    )
    other.batch(
        "link set fabric up", "addr add 198.51.100.2/24 dev fabric", "addr add 2001:db8:f::2/64 dev fabric nodad"
    )
    sides = {
        host: {"mac": "66:00:00:00:00:0{}", "n": 1, "peer": 2},
        other: {"mac": "66:00:00:00:00:0{}", "n": 2, "peer": 1},
    }
    for node, side in sides.items():
        both = []
        for base, address, underlay in (
            (VXLAN, "10.244.{}.0", "198.51.100.{}"),
            (VXLAN6, "fd00:{}::", "2001:db8:f::{}"),
        ):
            own, peer = side["n"], side["peer"]
            peers = [
                {"address": address.format(peer), "mac": side["mac"].format(peer), "underlay": underlay.format(peer)}
            ]
            length = 32 if base is VXLAN else 128
            changed = {"address": f"{address.format(own)}/{length}", "local": underlay.format(own), "peers": peers}
            both.append({**base, **changed, "parent": "fabric", "mac": side["mac"].format(own)})
        done = modules.run(node.path, "calico_tunnel", {"tunnels": both})
        assert done.get("changed"), done
        node.ip(f"route add 10.244.{side['peer']}.0/24 via 10.244.{side['peer']}.0 dev {NAME} onlink")
        node.ip(f"route add fd00:{side['peer']}::/64 via fd00:{side['peer']}:: dev {NAME6} onlink")
    for address in ("10.244.2.0", "fd00:2::"):
        host.reach(address)


def many(count: int) -> list[Result]:
    return [
        {
            "node": f"node{number}",
            "address": f"10.{244 + number // 256}.{number % 256}.0",
            "mac": f"66:00:00:00:{number // 256:02x}:{number % 256:02x}",
            "underlay": f"198.51.{100 + number // 250}.{number % 250}",
        }
        for number in range(2, count + 2)
    ]


def test_hundreds_of_peers_come_and_go_in_one_call(host: Namespace, run_module: RunModule, converge: RunModule) -> None:
    run_module("calico_tunnel", tunnels())
    for peers in (many(300), many(300)[150:], many(300)[:200], [PEER2]):
        done = converge("calico_tunnel", {**tunnels(peers=peers), "exclusive": True})
        assert [change["action"] for change in done["changes"]] == ["replace"]
        assert view(host) == expected(peers=peers)


def test_a_peer_that_the_kernel_refuses_is_named(host: Namespace, run_module: RunModule) -> None:
    """A forwarding entry of the other IP version than the device's is one that the kernel does not take."""
    run_module("calico_tunnel", tunnels())
    wrong = {**PEER2, "address": "10.244.3.0", "mac": "66:00:00:00:00:33", "underlay": "2001:db8::13"}
    failed = run_module("calico_tunnel", tunnels(peers=[PEER2, wrong]))
    assert failed["failure"]["kind"] == "KernelError"
    assert failed["msg"].startswith(f"replace tunnel {NAME}: fdb entry 66:00:00:00:00:33: ")
    assert view(host)["fdb"] == expected()["fdb"]
    assert run_module("calico_tunnel", tunnels())["changed"] is True
    assert view(host) == expected()


# By name: how somebody else made a device of our name, and what the diff says about it.
SPECIAL = {
    "group": ("id 4096 dstport 4789 dev eth0 local 192.0.2.11 group 239.1.1.1", "made anew: group"),
    "l2miss": ("id 4096 dstport 4789 dev eth0 local 192.0.2.11 l2miss", "made anew: l2miss"),
    "gbp": ("id 4096 dstport 4789 dev eth0 local 192.0.2.11 gbp", "made anew: gbp"),
    "metadata": ("dstport 4789 dev eth0 external", "made anew: "),
    "no parent": ("id 4096 dstport 4789 local 192.0.2.11", "made anew: parent"),
    "other version": ("id 4096 dstport 4789 dev eth0 local 2001:db8::11", "made anew: local"),
}


@pytest.mark.parametrize(("options", "said"), SPECIAL.values(), ids=SPECIAL)
def test_a_vxlan_with_what_cannot_be_changed_is_made_anew(
    host: Namespace, converge: RunModule, options: str, said: str
) -> None:
    host.ip(f"link add {NAME} type vxlan {options}")
    index = host.link(NAME)["ifindex"]
    done = converge("calico_tunnel", tunnels())
    assert [change["action"] for change in done["changes"]] == ["replace"]
    assert said in done["diff"]["before"]
    assert "made anew" not in done["diff"]["after"]
    assert view(host) == expected()
    data = host.link(NAME)["linkinfo"]["info_data"]
    assert not {"group", "l2miss", "gbp", "external"} & {key for key, value in data.items() if value}
    assert host.link(NAME)["ifindex"] != index


OF_OTHERS = {
    "bridge": f"link add {NAME} type bridge",
    "veth": f"link add {NAME} type veth peer name other0",
    "tun": f"tuntap add {NAME} mode tun",
}


@pytest.mark.parametrize("command", OF_OTHERS.values(), ids=OF_OTHERS)
def test_a_device_that_is_no_vxlan_stays(host: Namespace, run_module: RunModule, command: str) -> None:
    host.ip(command)
    host.ip(f"addr add 10.244.0.1/32 dev {NAME}")
    before = host.state()
    for check in (True, False):
        failed = run_module("calico_tunnel", {"tunnels": [VXLAN6, VXLAN]}, check=check)
        assert failed["failure"]["kind"] == "Conflict"
        assert f"configure tunnel {NAME}: a device of that name exists, of kind" in failed["msg"]
    assert run_module("calico_tunnel", {**tunnels(), "state": "absent"})["changed"] is False
    assert run_module("calico_tunnel", {"tunnels": [], "exclusive": True})["changed"] is False
    assert host.state() == before


def test_absent_leaves_what_is_not_ours(host: Namespace, run_module: RunModule, converge: RunModule) -> None:
    host.batch(
        f"link add {NAME6} type vxlan id 7 dstport 9999 dev eth1",
        "link add other type vxlan id 8 dstport 9998 dev eth1",
        "link set other alias 'podnet' up",
    )
    before = host.state()
    run_module("calico_tunnel", tunnels())
    params: Result = {"tunnels": [VXLAN, VXLAN6], "state": "absent"}
    done = converge("calico_tunnel", params)
    assert done["changes"] == [{"action": "delete", "kind": "tunnel", "name": NAME}]
    assert host.state() == before


def test_a_missing_parent_is_named_before_anything_is_lost(host: Namespace, run_module: RunModule) -> None:
    run_module("calico_tunnel", tunnels())
    before = host.state()
    failed = run_module("calico_tunnel", tunnels(parent="eth9"))
    assert "there is no device eth9" in failed["msg"]
    assert host.state() == before


def checksums(host: Namespace, name: str = NAME) -> str:
    """Return "on" or "off", as ethtool says it."""
    lines = host.run(f"ethtool -k {name}").stdout.splitlines()
    return next(line.split()[1] for line in lines if line.startswith("tx-checksumming:"))


@pytest.mark.parametrize("wanted", [False, True])
def test_checksum_offload(host: Namespace, run_module: RunModule, converge: RunModule, wanted: bool) -> None:
    words = {False: "off", True: "on"}
    params = {"tunnels": [VXLAN, VXLAN6], "checksum_offload": wanted}
    converge("calico_tunnel", params)
    assert (checksums(host), checksums(host, NAME6)) == (words[wanted], words[wanted])
    index = host.link(NAME)["ifindex"]
    host.run(f"ethtool -K {NAME} tx {words[not wanted]}")
    done = converge("calico_tunnel", params)
    assert [change["name"] for change in done["changes"]] == [NAME]
    assert f"checksum_offload: {str(not wanted).lower()}" in done["diff"]["before"]
    assert (checksums(host), host.link(NAME)["ifindex"]) == (words[wanted], index)
    converge("calico_tunnel", {**params, "checksum_offload": not wanted})
    assert checksums(host) == words[not wanted]


def test_checksum_offload_is_left_alone_by_default(host: Namespace, run_module: RunModule) -> None:
    release = tuple(int(part) for part in subprocess.check_output(["uname", "-r"], text=True).split(".")[:2])
    if release < (5, 8):
        pytest.skip("on this kernel the default is off")
    run_module("calico_tunnel", tunnels())
    for word in ("off", "on"):
        host.run(f"ethtool -K {NAME} tx {word}")
        assert run_module("calico_tunnel", tunnels())["changed"] is False
        assert checksums(host) == word


def test_absent_and_exclusive_with_checksum_offload(host: Namespace, converge: RunModule) -> None:
    before = host.state()
    params = {"tunnels": [VXLAN, VXLAN6], "checksum_offload": False}
    converge("calico_tunnel", params)
    converge("calico_tunnel", {**params, "tunnels": [VXLAN], "exclusive": True})
    converge("calico_tunnel", {**params, "state": "absent"})
    assert host.state() == before


def test_a_tunnel_gets_another_name(host: Namespace, run_module: RunModule, converge: RunModule) -> None:
    """The kernel does not take two VXLAN devices with one VNI and port, so the old one has to go first."""
    run_module("calico_tunnel", tunnels())
    done = converge("calico_tunnel", {**tunnels(name="vxlan.other"), "exclusive": True})
    assert [change["action"] for change in done["changes"]] == ["delete", "create"]
    assert view(host, "vxlan.other") == expected()


def test_two_tunnels_swap_what_cannot_be_changed(host: Namespace, run_module: RunModule, converge: RunModule) -> None:
    second = {**VXLAN, "name": "vxlan.other", "vni": 4097, "mac": "66:00:00:00:00:0b", "peers": []}
    run_module("calico_tunnel", {"tunnels": [VXLAN, second]})
    converge("calico_tunnel", {"tunnels": [{**VXLAN, "vni": 4097}, {**second, "vni": 4096}]})
    assert (view(host)["vni"], view(host, "vxlan.other")["vni"]) == (4097, 4096)


def test_absent_needs_no_more_than_the_name(host: Namespace, run_module: RunModule, converge: RunModule) -> None:
    before = host.state()
    run_module("calico_tunnel", tunnels())
    done = converge("calico_tunnel", {**tunnels(vni=7, parent="eth9", peers=[]), "state": "absent"})
    assert done["changes"] == [{"action": "delete", "kind": "tunnel", "name": NAME}]
    assert host.state() == before
