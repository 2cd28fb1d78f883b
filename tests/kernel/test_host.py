# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules calico_sysctl, calico_host_info and calico_ping against this kernel."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.verify.host_pings import HOST, judge
from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result, with_pyroute2

NewNamespace = t.Callable[[str], Namespace]
FORWARD = "net.ipv4.ip_forward"
REDIRECTS = "net.ipv4.conf.eth0.send_redirects"


@pytest.fixture
def run_sysctl(modules: Modules, host: Namespace, tmp_path: Path) -> RunModule:
    """Return a function that runs calico_sysctl on the host with an /etc/sysctl.d of its own."""

    def run(params: Result, *, check: bool = False) -> Result:
        return modules.run(host.path, "calico_sysctl", params, check=check, binds={"/etc/sysctl.d": str(tmp_path)})

    return run


def test_life_of_sysctls(host: Namespace, run_sysctl: RunModule, tmp_path: Path) -> None:
    host.run("sysctl -qw net.ipv4.ip_forward=0")
    wanted = {"sysctls": {FORWARD: 1, REDIRECTS: "0"}}
    predicted = run_sysctl(wanted, check=True)
    assert host.sysctl("net/ipv4/ip_forward") == "0"
    done = run_sysctl(wanted)
    assert (done["changes"], done["diff"]) == (predicted["changes"], predicted["diff"])
    assert run_sysctl(wanted)["changed"] is False
    assert (host.sysctl("net/ipv4/ip_forward"), host.sysctl("net/ipv4/conf/eth0/send_redirects")) == ("1", "0")
    text = (tmp_path / "90-podnet-calico.conf").read_text()
    assert [line for line in text.splitlines() if not line.startswith("#")] == [f"{REDIRECTS} = 0", f"{FORWARD} = 1"]
    run_sysctl({"sysctls": {REDIRECTS: "0"}})
    assert (host.sysctl("net/ipv4/ip_forward"), host.sysctl("net/ipv4/conf/eth0/send_redirects")) == ("0", "0")
    assert FORWARD not in (tmp_path / "90-podnet-calico.conf").read_text()
    assert run_sysctl({"state": "absent"})["changed"] is True
    assert (host.sysctl("net/ipv4/ip_forward"), host.sysctl("net/ipv4/conf/eth0/send_redirects")) == ("0", "1")
    assert list(tmp_path.iterdir()) == []
    assert run_sysctl({"state": "absent"})["changed"] is False


def test_a_sysctl_of_a_device_that_is_gone_does_not_stop_the_removal(host: Namespace, run_sysctl: RunModule) -> None:
    run_sysctl({"sysctls": {"net.ipv4.conf.eth1.send_redirects": "0"}})
    host.ip("link del eth1")
    assert not run_sysctl({"state": "absent"}).get("failed")


def test_a_foreign_file_and_an_unknown_sysctl_are_refused(
    host: Namespace, run_sysctl: RunModule, tmp_path: Path
) -> None:
    assert "net.ipv4.nothing: the kernel does not have it" in run_sysctl({"sysctls": {"net.ipv4.nothing": 1}})["msg"]
    (tmp_path / "90-podnet-calico.conf").write_text("vm.swappiness = 1\n")
    host.run("sysctl -qw net.ipv4.ip_forward=0")
    assert "a file is there that is not ours" in run_sysctl({"sysctls": {FORWARD: "1"}})["msg"]
    assert host.sysctl("net/ipv4/ip_forward") == "0"


@pytest.mark.parametrize("name", ["bond0", "x1", "vlan.7"])
def test_the_device_is_found_by_route_not_by_name(host: Namespace, run_module: RunModule, name: str) -> None:
    host.ip("link set eth0 down")
    host.ip(f"link set eth0 name {name} mtu 8999")
    host.ip(f"link set {name} up")
    found = run_module("calico_host_info", {"peers": ["192.0.2.11", "192.0.2.12"]})["host"]
    assert (found["address"], found["device"], found["mtu"]) == ("192.0.2.11/24", name, 8999)
    assert "vxlan" in found["encapsulations"]


def test_the_smallest_mtu_of_devices_to_peers_counts(host: Namespace, run_module: RunModule) -> None:
    host.ip("addr add 198.51.100.11/24 dev eth1")
    host.ip("link set eth1 mtu 1400")
    found = run_module("calico_host_info", {"peers": ["192.0.2.12", "198.51.100.12"]})["host"]
    assert (found["device"], found["mtu"]) == ("eth0", 1400)


def test_more_peers_than_the_kernel_is_asked_for_at_once(host: Namespace, run_module: RunModule) -> None:
    host.ip("addr add 198.51.100.11/24 dev eth1")
    host.ip("link set eth1 mtu 1400")
    peers = [*(f"192.0.2.{place}" for place in range(12, 212)), "203.0.113.1", "198.51.100.12"]
    found = run_module("calico_host_info", {"peers": peers})["host"]
    assert (found["address"], found["device"], found["mtu"]) == ("192.0.2.11/24", "eth0", 1400)


# By the routes of a host beside 192.0.2.0/24: whether others' lead to the gateway of pods, and with ours.
GATEWAYS: dict[str, tuple[list[str], bool, bool]] = {
    "none": ([], False, False),
    "default": (["route add default via 192.0.2.12"], True, True),
    "no way out": (["route add unreachable default"], False, False),
    "its network": (["addr add 169.254.1.2/16 dev eth1"], True, True),
    "half of its network": (["route add 169.254.1.0/31 dev eth1"], True, True),
    "its neighbour": (["route add 169.254.1.0/32 dev eth1"], False, False),
    "a neighbour of the host": (["route add 169.254.1.1 dev eth1"], True, True),
    "the host itself": (["addr add 169.254.1.1/16 dev eth1"], True, True),
    "ours": (["route add 169.254.1.1 dev lo scope link proto 98"], False, True),
    "ours and default": (
        ["route add default via 192.0.2.12", "route add 169.254.1.1 dev lo scope link proto 98"],
        True,
        True,
    ),
}


@pytest.mark.parametrize(("commands", "others", "in_all"), GATEWAYS.values(), ids=GATEWAYS)
def test_who_leads_to_the_gateway_of_pods(
    host: Namespace, run_module: RunModule, commands: list[str], others: bool, in_all: bool
) -> None:
    for command in commands:
        host.ip(command)
    assert run_module("calico_host_info", {"address": "192.0.2.11"})["host"]["pod_gateway"] is others
    assert run_module("calico_preflight_info", {"towards": [], "networks": []})["facts"]["pod_gateway"] is in_all


ADDRESSES = {
    "without length": ({"address": "192.0.2.11"}, "192.0.2.11/24"),
    "with length": ({"address": "192.0.2.11/24"}, "192.0.2.11/24"),
    "IPv6": ({"address": "2001:DB8::11"}, "2001:db8::11/64"),
    "neither is given": ({"address": "", "ipv6_address": "", "peers": ["192.0.2.12"]}, "192.0.2.11/24"),
    "from IPv6 peers": ({"peers": ["2001:db8::12"]}, "2001:db8::11/64"),
}


@pytest.mark.parametrize(("options", "address"), ADDRESSES.values(), ids=ADDRESSES)
def test_address(run_module: RunModule, options: Result, address: str) -> None:
    found = run_module("calico_host_info", options)["host"]
    assert (found["address"], found["device"]) == (address, "eth0")


STABLE, FLEETING, VIP = "2001:db8::11", "2001:db8::77", "2001:db8::100"
UNSTEADY = [
    f"addr add {FLEETING}/64 dev eth0 nodad preferred_lft 0",
    f"addr add {VIP}/128 dev eth0 nodad",
    "addr add 192.0.2.100/32 dev eth0",
    "addr add 2001:db8:1::11/64 dev eth1 nodad",
    "addr add 198.51.100.11/24 dev eth1",
]
# By options: the address, or a word of the refusal.
CHOICES: dict[str, tuple[Result, str]] = {
    "ansible_host first": ({"preferred": "198.51.100.11", "peers": ["192.0.2.12"]}, "198.51.100.11/24"),
    "a name": ({"preferred": "node1", "peers": ["192.0.2.12"]}, "192.0.2.11/24"),
    "an address of the router": ({"preferred": "203.0.113.9", "peers": ["192.0.2.12"]}, "192.0.2.11/24"),
    "ansible_host is virtual": ({"preferred": VIP, "peers": ["2001:db8::12"]}, f"{STABLE}/64"),
    "ansible_host is virtual, without peers": ({"preferred": "192.0.2.100"}, "192.0.2.11/24"),
    "ansible_host is deprecated": ({"preferred": FLEETING, "peers": ["2001:db8::12"]}, f"{STABLE}/64"),
    "ansible_host is a loopback": ({"preferred": "127.0.0.1", "peers": ["192.0.2.12"]}, "192.0.2.11/24"),
    "nothing but a loopback": (
        {"preferred": "127.0.0.1"},
        "127.0.0.1/8 on lo is loopback: it leads to this host",
    ),
    "virtual": ({"address": "192.0.2.100"}, '"192.0.2.100" on eth0 looks like a virtual one: when keepalived'),
    "virtual, of IPv6": ({"address": f"{VIP}/128"}, f"Set calico_node_address to {STABLE}/64"),
    "deprecated": ({"address": FLEETING}, f'"{FLEETING}" on eth0 is deprecated: '),
    "virtual, beside IPv4": ({"address": "192.0.2.11", "ipv6_address": VIP}, "Set calico_node_ipv6_address to"),
    "loopback": ({"address": "127.0.0.1"}, "is loopback: it leads to this host alone. Set calico_node_address to"),
}


@pytest.mark.parametrize(("options", "found"), CHOICES.values(), ids=CHOICES)
def test_the_address_is_one_that_stays(host: Namespace, run_module: RunModule, options: Result, found: str) -> None:
    for command in UNSTEADY:
        host.ip(command)
    answer = run_module("calico_host_info", options)
    assert found in (answer["host"]["address"] if "host" in answer else answer["msg"])
    params = {"towards": options.get("peers", []), "networks": []}
    params.update({key: options[key] for key in ("address", "ipv6_address", "preferred") if key in options})
    row = run_module("calico_preflight_info", params)["facts"]["node"]
    if "host" in answer:  # preflight looks at the same address
        assert row["address"] == answer["host"]["address"]


def test_the_source_that_the_kernel_prefers_is_passed_over_if_it_is_virtual(
    host: Namespace, run_module: RunModule
) -> None:
    host.ip("addr add 2001:db8::1:12/128 dev eth0 nodad")  # nearer to the peer than 2001:db8::11
    source = host.run("ip -6 route get 2001:db8::1:13").stdout
    assert " src 2001:db8::1:12 " in source
    assert run_module("calico_host_info", {"peers": ["2001:db8::1:13"]})["host"]["address"] == f"{STABLE}/64"


WRONG = {
    "not-on-interface": {"address": "192.0.2.99"},
    "prefix-length": {"address": "192.0.2.11/25"},
    "no-address": {"address": "node1"},
    "no-route": {"peers": ["203.0.113.1"]},
    "peer-name": {"peers": ["node2"]},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_address_is_explained(run_module: RunModule, golden: t.Callable[[str, str], None], case: str) -> None:
    golden(f"errors/node-address-{case}.txt", run_module("calico_host_info", WRONG[case])["msg"])


@pytest.fixture
def two_hosts(host: Namespace, new_namespace: NewNamespace) -> tuple[Namespace, Namespace]:
    """Return two hosts on one wire."""
    other = new_namespace("other")
    host.ip(f"link add wire type veth peer name wire netns {other.name}")
    for place, address in ((host, "198.51.100.1"), (other, "198.51.100.2")):
        place.ip("link set wire up")
        place.ip(f"addr add {address}/24 dev wire")
        place.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0")
    return host, other


def ping(modules: Modules, host: Namespace, netns: str, address: str = "10.244.2.5", **options: t.Any) -> Result:
    target = {"name": "there", "address": address, "expected": "VXLAN"}
    options = {"count": 3, "interval": 0.01, "timeout": 0.5, **options}
    params = {"targets": [target], "netns": netns, "device": "wire", **options}
    return t.cast("Result", modules.run(host.path, "calico_ping", params)["results"][0])


def join_pods(modules: Modules, hosts: tuple[Namespace, Namespace], names: t.Sequence[str], encapsulation: str) -> None:
    """Make a pod on each host, and the way between them."""
    for index, (host, pod) in enumerate(zip(hosts, names)):
        far = 2 - index
        endpoint = {"name": f"shop.{pod}", "netns": pod, "addresses": [f"10.244.{index + 1}.5"]}
        modules.run(host.path, "calico_veth", {"endpoints": [endpoint]})
        route: Result = {"destination": f"10.244.{far}.0/26", "gateway": f"198.51.100.{far}", "device": "wire"}
        if encapsulation == "VXLAN":
            peer = {"address": f"10.244.{far}.0", "mac": f"66:00:00:00:00:0{far}", "underlay": f"198.51.100.{far}"}
            tunnel = {"kind": "vxlan", "name": "vxlan.calico", "address": f"10.244.{index + 1}.0/32", "mtu": 1450}
            tunnel |= {"local": f"198.51.100.{index + 1}", "parent": "wire", "vni": 4096, "port": 4789}
            tunnel |= {"mac": f"66:00:00:00:00:0{index + 1}", "peers": [peer]}
            modules.run(host.path, "calico_tunnel", {"tunnels": [tunnel]})
            route |= {"gateway": f"10.244.{far}.0", "device": "vxlan.calico", "onlink": True}
        modules.run(host.path, "calico_route", {"routes": [route]})


@with_pyroute2
@pytest.mark.parametrize("encapsulation", ["VXLAN", "None"])
def test_ping_sees_what_packets_are_wrapped_in(
    modules: Modules,
    two_hosts: tuple[Namespace, Namespace],
    netns_name: t.Callable[[], str],
    encapsulation: str,
) -> None:
    pods = [netns_name(), netns_name()]
    join_pods(modules, two_hosts, pods, encapsulation)
    found = ping(modules, two_hosts[0], pods[0], wait=30, timeout=30)
    assert (found["sent"], found["received"], found["loss"]) == (3, 3, 0.0)
    assert found["encapsulation"] == encapsulation
    assert 0 < found["rtt_ms"]["min"] <= found["rtt_ms"]["avg"] <= found["rtt_ms"]["max"]
    Namespace(pods[1]).ip("link set eth0 down")
    lost = ping(modules, two_hosts[0], pods[0])
    assert (lost["received"], lost["loss"], lost["rtt_ms"]) == (0, 1.0, None)


@pytest.mark.parametrize("diverted", [False, True], ids=["plain", "a rule for the node's address"])
def test_a_pod_and_its_host(
    modules: Modules, two_hosts: tuple[Namespace, Namespace], netns_name: t.Callable[[], str], diverted: bool
) -> None:
    pods = [netns_name(), netns_name()]
    join_pods(modules, two_hosts, pods, "None")
    host, own = two_hosts[0], "198.51.100.1"
    if diverted:
        host.ip(f"rule add from {own} lookup 200")
        host.ip("route add default via 198.51.100.2 dev wire table 200")
    targets = [
        {"name": "own host", "address": own, "pool": "main", "netns": pods[0], "answer_to": "10.244.1.5"},
        {"name": "other host", "address": "198.51.100.2", "pool": "main", "netns": pods[0]},
        {"name": "back", "address": "10.244.1.5", "pool": "main", "netns": HOST, "count": 1, "wait": 0.5},
        {"name": "back from afar", "address": "10.244.2.5", "pool": "main", "netns": HOST},
    ]
    params = {"targets": targets, "device": "wire", "count": 2, "interval": 0.01, "timeout": 0.5, "wait": 5}
    rows = modules.run(host.path, "calico_ping", {**params, "wait": 0.5 if diverted else 5})["results"]
    assert rows[0]["answered_by"] == ("wire" if diverted else host.routes()["10.244.1.5"]["dev"])
    assert [row["loss"] for row in rows] == [1.0 if diverted else 0.0, 0.0, 0.0, 0.0]
    assert {row["target"]: row["sent"] for row in rows} == {
        "own host": 2,
        "other host": 2,
        "back": 1,
        "back from afar": 2,
    }
    words = judge({"node1": rows})
    assert [len(words["misrouted"]), len(words["unanswered"])] == [int(diverted), 0]


def test_a_target_without_route_is_a_result(
    modules: Modules, two_hosts: tuple[Namespace, Namespace], new_namespace: NewNamespace
) -> None:
    found = ping(modules, two_hosts[0], new_namespace("alone").name)
    assert (found["sent"], found["received"], found["encapsulation"]) == (3, 0, None)


def test_a_namespace_that_is_not_there_is_named(modules: Modules, two_hosts: tuple[Namespace, Namespace]) -> None:
    target = {"name": "there", "address": "10.244.2.5"}
    params = {"targets": [target], "netns": "no-such-pod", "device": "wire"}
    failed = modules.run(two_hosts[0].path, "calico_ping", params)
    assert failed["msg"].startswith("enter network namespace /run/netns/no-such-pod: No such file or directory")
