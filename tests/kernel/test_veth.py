# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_veth against this kernel, on a host without default route; the oracle is `ip`, ARP and ping."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import WORKLOAD, NetnsName, RunModule
from ansible_collections.podnet.calico.tests.kernel.net import HERE, Namespace, Result

CALI = "cali" + "a4fc3c48bd8"  # printf shop.web-0 | sha1sum


def test_life_of_an_endpoint(host: Namespace, converge: RunModule, pod: Result) -> None:
    before = host.state()
    done = converge("calico_veth", {"endpoints": [pod]})
    assert done["endpoints"] == [{"name": WORKLOAD, "host_interface": CALI}]
    link = host.link(CALI)
    assert (link["address"], link["mtu"], "UP" in link["flags"]) == ("ee:ee:ee:ee:ee:ee", 1450, True)
    assert host.routes()["10.244.0.5"]["dev"] == CALI
    assert host.routes(version=6)["fd00::5"]["dev"] == CALI
    keys = ("proxy_arp", "forwarding", "route_localnet")
    assert [host.sysctl(f"net/ipv4/conf/{CALI}/{key}") for key in keys] == ["1", "1", "1"]
    assert [host.sysctl(f"net/ipv6/conf/{CALI}/{key}") for key in ("proxy_ndp", "accept_ra")] == ["1", "0"]
    converge("calico_veth", {"endpoints": [pod], "state": "absent"})
    assert host.state() == before
    assert not Path("/run/netns", pod["netns"]).exists()


def test_the_host_believes_nothing_that_a_pod_says_of_itself(
    gateway: Namespace, converge: RunModule, pod: Result
) -> None:
    """A pod without IPv6 addresses could give its host a route; one that answers ARP could be another's neighbour."""
    converge("calico_veth", {"endpoints": [{**pod, "addresses": ["10.244.0.5"]}]})
    assert gateway.sysctl(f"net/ipv6/conf/{CALI}/accept_ra") == "0"
    gateway.run(f"sysctl -qw net.ipv6.conf.{CALI}.accept_ra=1")
    inside = Namespace(pod["netns"])
    known = gateway.show(f"neigh show dev {CALI} nud permanent")
    assert [(each["dst"], each["lladdr"]) for each in known] == [("10.244.0.5", inside.link("eth0")["address"])]
    ask = f"{sys.executable} {HERE / 'arp.py'} eth0 10.244.0.5 169.254.1.1 60 02:00:00:00:00:66"
    assert gateway.run(f"ip netns exec {pod['netns']} {ask}").stdout.strip() == "ee:ee:ee:ee:ee:ee"
    assert gateway.show(f"neigh show dev {CALI} nud permanent") == known
    gateway.reach("10.244.0.5")
    converge("calico_veth", {"endpoints": [{**pod, "addresses": ["10.244.0.5"]}]})
    assert gateway.sysctl(f"net/ipv6/conf/{CALI}/accept_ra") == "0"


def test_inside_of_a_pod(run_module: RunModule, pod: Result) -> None:
    run_module("calico_veth", {"endpoints": [{**pod, "mac": "02:00:00:00:00:05"}]})
    inside = Namespace(pod["netns"])
    assert (inside.link("eth0")["address"], inside.link("eth0")["mtu"]) == ("02:00:00:00:00:05", 1450)
    addresses = [row["addr_info"] for row in inside.show("addr show dev eth0 scope global")]
    assert sorted(f"{a['local']}/{a['prefixlen']}" for row in addresses for a in row if a) == [
        "10.244.0.5/32",
        "fd00::5/128",
    ]
    assert inside.show("-4 route show default")[0]["gateway"] == "169.254.1.1"
    assert inside.show("-6 route show default")[0]["gateway"] == "fe80::ecee:eeff:feee:eeee"


def test_the_host_answers_for_the_gateway_without_default_route(
    gateway: Namespace, run_module: RunModule, pod: Result
) -> None:
    run_module("calico_veth", {"endpoints": [pod]})
    ask = f"{sys.executable} {HERE / 'arp.py'} eth0 10.244.0.5 169.254.1.1"
    in_pod = f"ip netns exec {pod['netns']} {ask}"
    assert gateway.run(f"{in_pod} 60").stdout.strip() == "ee:ee:ee:ee:ee:ee"
    gateway.ip("route del 169.254.1.1 dev lo")
    assert gateway.run(f"{in_pod} 1").stdout.strip() == "nobody"


def test_two_pods_reach_each_other(
    gateway: Namespace, run_module: RunModule, pod: Result, netns_name: NetnsName
) -> None:
    other = {"name": "shop.db-0", "netns": netns_name(), "addresses": ["10.244.0.6", "fd00::6"]}
    run_module("calico_veth", {"endpoints": [pod, other]})
    assert gateway.show("route show default") == []
    inside = Namespace(pod["netns"])
    for address in ("10.244.0.6", "fd00::6"):
        inside.reach(address)


@pytest.mark.parametrize("check", [True, False], ids=["check mode", "run"])
def test_a_foreign_link_is_refused(host: Namespace, run_module: RunModule, pod: Result, check: bool) -> None:
    host.ip(f"link add {CALI} type bridge")
    before = host.state()
    failed = run_module("calico_veth", {"endpoints": [pod]}, check=check)
    assert failed["msg"] == (
        f"create endpoint {WORKLOAD}: {CALI} exists and is not ours (bridge). "
        "Remove it, or give the endpoint another host_interface"
    )
    assert host.state() == before
    assert not Path("/run/netns", pod["netns"]).exists()


@pytest.mark.parametrize("check", [True, False], ids=["check mode", "run"])
def test_a_route_in_the_way_is_refused(host: Namespace, run_module: RunModule, pod: Result, check: bool) -> None:
    host.ip("route add 10.244.0.5/32 dev eth1 proto static")
    before = host.state()
    failed = run_module("calico_veth", {"endpoints": [pod]}, check=check)
    assert failed["msg"] == (
        f"create endpoint {WORKLOAD}: there is a route to 10.244.0.5/32 already: 10.244.0.5/32 dev eth1 scope link "
        "proto static. Remove it, or give the endpoint another address"
    )
    assert host.state() == before
    assert not Path("/run/netns", pod["netns"]).exists()


def test_a_clash_inside_the_pod_leaves_the_users_namespace_as_it_was(
    host: Namespace, new_namespace: t.Callable[[str], Namespace], run_module: RunModule, pod: Result
) -> None:
    users = new_namespace("user")
    users.ip("link add eth9 type veth peer name eth8")
    users.ip("link set eth9 addrgenmode none up")
    users.ip("route add 169.254.1.1/32 dev eth9 scope link")
    states = host.state(), users.state()
    failed = run_module("calico_veth", {"endpoints": [{**pod, "netns": users.name}]})
    assert failed["failure"]["kind"] == "KernelError"
    assert (host.state(), users.state()) == states


DRIFTS = {
    "host's end down": ("host", "ip link set {0} down"),
    "host's MAC": ("host", "ip link set {0} address 02:00:00:00:00:09"),
    "route deleted": ("host", "ip route del 10.244.0.5 dev {0}"),
    "proxy ARP off": ("host", "sysctl -qw net.ipv4.conf.{0}.proxy_arp=0"),
    "MTU": ("host", "ip link set {0} mtu 1300"),
    "link deleted": ("host", "ip link del {0}"),
    "pod's address removed": ("pod", "ip addr del 10.244.0.5/32 dev eth0"),
    "pod's default route removed": ("pod", "ip route del default"),
    "pod's end down": ("pod", "ip link set eth0 down"),
}


@pytest.mark.parametrize(("place", "drift"), DRIFTS.values(), ids=DRIFTS)
def test_drift_is_repaired(
    gateway: Namespace, run_module: RunModule, converge: RunModule, pod: Result, place: str, drift: str
) -> None:
    run_module("calico_veth", {"endpoints": [pod]})
    inside = Namespace(pod["netns"])
    (gateway if place == "host" else inside).run(drift.format(CALI))
    assert converge("calico_veth", {"endpoints": [pod]})["changed"] is True
    assert inside.show("route get 8.8.8.8")[0]["gateway"] == "169.254.1.1"
    assert gateway.show("route get 10.244.0.5")[0]["dev"] == CALI


def test_the_users_namespace_stays(
    host: Namespace, new_namespace: t.Callable[[str], Namespace], converge: RunModule, pod: Result
) -> None:
    users = new_namespace("user")
    converge("calico_veth", {"endpoints": [{**pod, "netns": users.name}]})
    converge("calico_veth", {"endpoints": [{**pod, "netns": users.name}], "state": "absent"})
    assert [link["ifname"] for link in users.show("link show type veth")] == []
    assert Path(users.path).exists()
    assert host.show("link show type veth") and CALI not in {link["ifname"] for link in host.show("link")}


def test_exclusive_removes_other_pods_of_ours(
    host: Namespace, run_module: RunModule, converge: RunModule, pod: Result, netns_name: NetnsName
) -> None:
    other = {"name": "shop.db-0", "netns": netns_name(), "addresses": ["10.244.0.6"], "host_interface": "calidb"}
    run_module("calico_veth", {"endpoints": [pod, other]})
    done = converge("calico_veth", {"endpoints": [pod], "exclusive": True})
    assert done["changes"] == [{"action": "delete", "kind": "endpoint", "name": "calidb"}]
    assert not Path("/run/netns", other["netns"]).exists()


INVALID: dict[str, tuple[Result, str]] = {
    "prefix length": ({"addresses": ["10.244.0.5/26"]}, "A pod's address stands alone: write 10.244.0.5/32"),
    "address": ({"addresses": ["web"]}, '"web" is not an address'),
    "twice": ({"name": "first.good"}, "is listed twice"),
    "mac": ({"mac": "02:zz"}, 'mac "02:zz" is not a MAC'),
    "host_interface": ({"host_interface": "a-name-of-17-char"}, "longer than 15 characters"),
}


@pytest.mark.parametrize(("changed", "text"), INVALID.values(), ids=INVALID)
def test_invalid_input_touches_nothing(
    host: Namespace, run_module: RunModule, pod: Result, changed: Result, text: str
) -> None:
    before = host.state()
    failed = run_module("calico_veth", {"endpoints": [{**pod, "name": "first.good"}, {**pod, **changed}]})
    assert failed["failure"]["kind"] == "InvalidInput"
    assert text in failed["msg"]
    assert host.state() == before
