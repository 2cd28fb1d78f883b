# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""calico_veth repairs what differs in place: links stay, and with them the pod's connections."""

from __future__ import annotations

import json
import subprocess
import typing as t

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import NetnsName, RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result

CALI = "cali" + "a4fc3c48bd8"  # printf shop.web-0 | sha1sum
SYSCTLS4 = ("forwarding", "proxy_arp", "route_localnet", "rp_filter")
SYSCTLS6 = ("forwarding", "accept_ra", "proxy_ndp", "disable_ipv6", "accept_dad")

# By name: where, and what somebody does there.
DRIFTS = {
    "route": ("host", "ip route del 10.244.0.5 dev {0}"),
    "IPv6 route": ("host", "ip -6 route del fd00::5 dev {0}"),
    "both routes": ("host", "ip route flush dev {0}"),
    "surplus route of ours": ("host", "ip route add 10.244.0.77 dev {0} proto 98"),
    "host's MTU": ("host", "ip link set {0} mtu 1300"),
    "host's MAC": ("host", "ip link set {0} address 02:00:00:00:00:09"),
    "host's end down": ("host", "ip link set {0} down"),
    **{key: ("host", f"sysctl -qw net.ipv4.conf.{{0}}.{key}=0") for key in SYSCTLS4[:3]},
    "rp_filter": ("host", "sysctl -qw net.ipv4.conf.{0}.rp_filter=2"),
    "proxy_delay": ("host", "sysctl -qw net.ipv4.neigh.{0}.proxy_delay=80"),
    "IPv6 forwarding": ("host", "sysctl -qw net.ipv6.conf.{0}.forwarding=0"),
    "accept_ra": ("host", "sysctl -qw net.ipv6.conf.{0}.accept_ra=2"),
    "proxy_ndp": ("host", "sysctl -qw net.ipv6.conf.{0}.proxy_ndp=0"),
    "disable_ipv6": ("host", "sysctl -qw net.ipv6.conf.{0}.disable_ipv6=1"),
    "accept_dad": ("host", "sysctl -qw net.ipv6.conf.{0}.accept_dad=1"),
    "pod's MAC as the host knows it": (
        "host",
        "ip neigh replace 10.244.0.5 lladdr 02:00:00:00:00:09 dev {0} nud permanent",
    ),
    "pod as a neighbour": ("host", "ip neigh del 10.244.0.5 dev {0}"),
    "pod as an IPv6 neighbour": ("host", "ip neigh del fd00::5 dev {0}"),
    "surplus neighbour": ("host", "ip neigh add 10.244.0.77 lladdr 02:00:00:00:00:09 dev {0} nud permanent"),
    "address": ("pod", "ip addr del 10.244.0.5/32 dev eth0"),
    "IPv6 address": ("pod", "ip addr del fd00::5/128 dev eth0"),
    "surplus address": ("pod", "ip addr add 10.244.0.99/32 dev eth0"),
    "surplus IPv6 address": ("pod", "ip addr add fd00::99/64 dev eth0 nodad"),
    "another prefix length": ("pod", "ip addr add 10.244.0.5/26 dev eth0"),
    "default route": ("pod", "ip route del default"),
    "IPv6 default route": ("pod", "ip -6 route del default"),
    "default route elsewhere": ("pod", "ip route replace default via 10.244.0.99 dev eth0 onlink proto static"),
    "IPv6 default route elsewhere": ("pod", "ip -6 route replace default via fd00::99 dev eth0 onlink"),
    "route to the gateway": ("pod", "ip route del 169.254.1.1"),
    "all routes": ("pod", "ip route flush dev eth0"),
    "neighbour": ("pod", "ip neigh del 169.254.1.1 dev eth0"),
    "neighbour's MAC": ("pod", "ip neigh replace 169.254.1.1 lladdr 02:00:00:00:00:09 dev eth0 nud permanent"),
    "IPv6 neighbour": ("pod", "ip neigh flush dev eth0 to fe80::/10 nud permanent"),
    "loopback down": ("pod", "ip link set lo down"),
    "pod's MAC": ("pod", "ip link set eth0 address 02:00:00:00:00:09"),
    "pod's MTU": ("pod", "ip link set eth0 mtu 1300"),
    "pod's end down": ("pod", "ip link set eth0 down"),
    "everything inside": ("pod", "ip addr flush dev eth0 scope global"),
}


def end(namespace: Namespace, name: str) -> Result:
    """Return one end of an endpoint, with its index, and what leads there."""
    link = namespace.link(name)
    addresses = namespace.show(f"addr show dev {name}")
    routes = [route for version in (4, 6) for route in namespace.show(f"-{version} route show dev {name}")]
    return {
        "link": [link.get(key) for key in ("ifindex", "address", "mtu", "ifalias")] + ["UP" in link["flags"]],
        "addresses": sorted(f"{a['local']}/{a['prefixlen']}" for row in addresses for a in row["addr_info"] if a),
        "routes": sorted((route["dst"], route.get("gateway", ""), route["protocol"]) for route in routes),
        "neighbours": sorted((n["dst"], n["lladdr"]) for n in namespace.show(f"neigh show dev {name} nud permanent")),
    }


def state(host: Namespace, inside: Namespace) -> list[t.Any]:
    """Return all of both ends."""
    sysctls = [f"net/ipv4/conf/{CALI}/{key}" for key in SYSCTLS4] + [f"net/ipv6/conf/{CALI}/{key}" for key in SYSCTLS6]
    values = {key: host.sysctl(key) for key in [*sysctls, f"net/ipv4/neigh/{CALI}/proxy_delay"]}
    return [end(host, CALI), end(inside, "eth0"), "UP" in inside.link("lo")["flags"], values]


@pytest.mark.parametrize("where", ["host", "pod"])
def test_drift_is_repaired_in_place(
    gateway: Namespace, run_module: RunModule, converge: RunModule, pod: Result, where: str
) -> None:
    params = {"endpoints": [{**pod, "mac": "02:00:00:00:00:05"}]}
    run_module("calico_veth", params)
    inside = Namespace(pod["netns"])
    before = state(gateway, inside)
    assert run_module("calico_veth", params)["changed"] is False
    for name, (place, drift) in DRIFTS.items():
        if place == where:
            (gateway if place == "host" else inside).run(drift.format(CALI))
            done = converge("calico_veth", params)
            changed = [(change["action"], change["name"]) for change in done["changes"]]
            assert (name, changed) == (name, [("replace", CALI)])
            assert (name, state(gateway, inside)) == (name, before)  # with the indexes of both links


def test_the_diff_names_what_was_wrong(gateway: Namespace, run_module: RunModule, pod: Result) -> None:
    run_module("calico_veth", {"endpoints": [pod]})
    gateway.run(f"sysctl -qw net.ipv4.conf.{CALI}.proxy_arp=0")
    Namespace(pod["netns"]).ip("neigh del 169.254.1.1 dev eth0")
    diff = run_module("calico_veth", {"endpoints": [pod]}, check=True)["diff"]
    assert '"ipv4.proxy_arp": "0"' in diff["before"]
    assert "no neighbour 169.254.1.1" in diff["before"]
    assert "proxy_arp" not in diff["after"]


CHANGED: dict[str, Result] = {
    "MTU": {"mtu": 1300},
    "MAC": {"mac": "02:00:00:00:00:77"},
    "addresses": {"addresses": ["10.244.0.6", "10.244.0.7"]},
    "no addresses": {"addresses": []},
    "IPv6 alone": {"addresses": ["fd00::6"]},
    "IPv4 alone": {"addresses": ["10.244.0.5"]},
}


@pytest.mark.parametrize("changed", CHANGED.values(), ids=CHANGED)
def test_other_options_change_the_endpoint_in_place(
    gateway: Namespace, run_module: RunModule, converge: RunModule, pod: Result, changed: Result
) -> None:
    run_module("calico_veth", {"endpoints": [pod]})
    inside = Namespace(pod["netns"])
    indexes = gateway.link(CALI)["ifindex"], inside.link("eth0")["ifindex"]
    wanted = {**pod, **changed}
    done = converge("calico_veth", {"endpoints": [wanted]})
    assert [change["action"] for change in done["changes"]] == ["replace"]
    assert (gateway.link(CALI)["ifindex"], inside.link("eth0")["ifindex"]) == indexes
    assert (gateway.link(CALI)["mtu"], inside.link("eth0")["mtu"]) == (wanted["mtu"], wanted["mtu"])
    assert wanted.get("mac") in (None, inside.link("eth0")["address"])
    shown = [entry for row in inside.show("addr show dev eth0 scope global") for entry in row["addr_info"] if entry]
    assert {entry["local"] for entry in shown} == set(wanted["addresses"])
    routed = [
        route["dst"] for version in (4, 6) for route in gateway.show(f"-{version} route show dev {CALI} proto 98")
    ]
    assert set(routed) == set(wanted["addresses"])


@pytest.mark.parametrize("changed", ["interface", "netns"])
def test_what_lies_elsewhere_is_made_anew(
    gateway: Namespace, run_module: RunModule, converge: RunModule, pod: Result, netns_name: NetnsName, changed: str
) -> None:
    run_module("calico_veth", {"endpoints": [pod]})
    wanted = {**pod, changed: {"interface": "net1", "netns": netns_name()}[changed]}
    assert converge("calico_veth", {"endpoints": [wanted]})["summary"]["replace"] == 1
    (link,) = [link for link in Namespace(wanted["netns"]).show("link") if link["ifname"] != "lo"]
    assert link["ifname"] == wanted.get("interface", "eth0")
    names = {entry["name"] for entry in json.loads(subprocess.check_output(["ip", "-j", "netns"]))}
    assert (pod["netns"] in names) == (changed == "interface")
    assert len([link for link in gateway.show("link") if link["ifname"].startswith("cali")]) == 1
