# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""calico_veth with several endpoints: addresses that move, that are wanted twice, and many endpoints at once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import NetnsName, RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result


@pytest.fixture
def other(netns_name: NetnsName) -> Result:
    """Return a second endpoint."""
    return {
        "name": "shop.db-0",
        "netns": netns_name(),
        "addresses": ["10.244.0.6", "fd00::6"],
        "host_interface": "calidb",
    }


def reach(pod: Result, address: str) -> None:
    Namespace(pod["netns"]).reach(address)


def test_addresses_move_to_a_new_endpoint_in_one_call(
    gateway: Namespace, run_module: RunModule, converge: RunModule, pod: Result, other: Result
) -> None:
    run_module("calico_veth", {"endpoints": [pod]})
    heir = {**other, "addresses": pod["addresses"]}
    done = converge("calico_veth", {"endpoints": [heir], "exclusive": True})
    assert [change["action"] for change in done["changes"]] == ["delete", "create"]
    assert {gateway.routes()["10.244.0.5"]["dev"], gateway.routes(version=6)["fd00::5"]["dev"]} == {"calidb"}
    assert not Path("/run/netns", pod["netns"]).exists()


def test_two_endpoints_swap_their_addresses(
    gateway: Namespace, run_module: RunModule, converge: RunModule, pod: Result, other: Result
) -> None:
    run_module("calico_veth", {"endpoints": [pod, other]})
    swapped = [{**pod, "addresses": other["addresses"]}, {**other, "addresses": pod["addresses"]}]
    done = converge("calico_veth", {"endpoints": swapped})
    assert done["summary"] == {"create": 0, "replace": 2, "delete": 0}
    assert (gateway.routes()["10.244.0.5"]["dev"], gateway.routes(version=6)["fd00::5"]["dev"]) == ("calidb", "calidb")
    for address in pod["addresses"]:
        reach(pod, address)


def test_an_address_moves_between_endpoints_that_stay(
    gateway: Namespace, run_module: RunModule, converge: RunModule, pod: Result, other: Result
) -> None:
    run_module("calico_veth", {"endpoints": [pod, other]})
    moved = [{**pod, "addresses": []}, {**other, "addresses": [*pod["addresses"], *other["addresses"]]}]
    converge("calico_veth", {"endpoints": moved})
    assert set(gateway.routes()) == {"169.254.1.1", "10.244.0.5", "10.244.0.6"}
    assert gateway.routes()["10.244.0.5"]["dev"] == "calidb"


@pytest.mark.parametrize("address", ["10.244.0.5", "fd00::5"], ids=["IPv4", "IPv6"])
def test_an_address_of_an_endpoint_that_is_not_listed(
    gateway: Namespace, run_module: RunModule, pod: Result, other: Result, address: str
) -> None:
    run_module("calico_veth", {"endpoints": [pod]})
    before = gateway.state()
    for check in (True, False):
        failed = run_module("calico_veth", {"endpoints": [{**other, "addresses": [address]}]}, check=check)
        assert failed["failure"]["kind"] == "Conflict"
        assert failed["msg"].startswith(f"create endpoint shop.db-0: there is a route to {address}/")
        assert "endpoint shop.web-0" in failed["msg"]
    assert gateway.state() == before
    assert not Path("/run/netns", other["netns"]).exists()


def test_a_foreign_route_at_an_address_that_an_endpoint_gets_later(
    gateway: Namespace, run_module: RunModule, pod: Result
) -> None:
    run_module("calico_veth", {"endpoints": [pod]})
    gateway.ip("-6 route add fd00::77/128 dev eth1 proto static")
    before = gateway.state()
    for check in (True, False):
        failed = run_module("calico_veth", {"endpoints": [{**pod, "addresses": ["fd00::77"]}]}, check=check)
        assert "there is a route to fd00::77/128 already: fd00::77/128 dev eth1 proto static" in failed["msg"]
    assert gateway.state() == before


def test_what_two_entries_want_is_refused(host: Namespace, run_module: RunModule, pod: Result, other: Result) -> None:
    before = host.state()
    both = {
        "shop.web-0 and shop.db-0 both want 10.244.0.5/32": {"addresses": ["10.244.0.6", "10.244.0.5/32"]},
        "shop.web-0 and shop.db-0 both want fd00::5/128": {"addresses": ["FD00:0::5"]},
        f"shop.web-0 and shop.db-0 both want eth0 in namespace {pod['netns']}": {"netns": pod["netns"]},
        f"both want eth0 in namespace {pod['netns']}": {"netns": f"/run/netns/{pod['netns']}"},
        f"both want the IPv6 default route in namespace {pod['netns']}": {
            "netns": pod["netns"],
            "interface": "net1",
            "addresses": ["fd00::6"],
        },
        "calia4fc3c48bd8 is listed twice": {"host_interface": "calia4fc3c48bd8"},
    }
    for text, changed in both.items():
        failed = run_module("calico_veth", {"endpoints": [pod, {**other, **changed}]})
        assert failed["failure"]["kind"] == "InvalidInput"
        assert text in failed["msg"]
    assert host.state() == before


WRONG: dict[str, tuple[Result, str]] = {
    "alias": (
        {"name": "shop." + "x" * 200, "host_interface": "calix", "netns": "n" * 50},
        "too long for a link's alias",
    ),
    "name with blanks": ({"name": "shop web"}, 'name "shop web" is empty or has blanks'),
    "netns with blanks": ({"netns": "a b"}, 'netns "a b" is empty or has blanks'),
    "netns half a path": ({"netns": "some/where"}, "is neither a name nor a whole path"),
    "netns upwards": ({"netns": ".."}, 'netns ".." is empty or has blanks'),
    "netns and pid": ({"pid": 1}, "both netns and pid are given"),
    "interface": ({"interface": "a-name-of-17-char"}, 'interface "a-name-of-17-char" is longer than 15 characters'),
    "interface lo": ({"interface": "lo"}, 'interface "lo" is not the name of a device'),
    "slash": ({"host_interface": "cali/x"}, 'host_interface "cali/x" is not the name of a device'),
    "MTU": ({"mtu": 67}, "mtu 67 is not between 68 and 65535"),
    "MTU for IPv6": ({"mtu": 1279}, "mtu 1279 is too small for fd00::5/128. IPv6 needs 1280: correct mtu"),
    "group MAC": ({"mac": "01:00:5e:00:00:01"}, "is not one of a single interface"),
}


def test_wrong_options_touch_nothing(host: Namespace, run_module: RunModule, pod: Result, other: Result) -> None:
    before = host.state()
    for name, (changed, text) in WRONG.items():
        failed = run_module("calico_veth", {"endpoints": [other, {**pod, **changed}]})
        assert failed.get("failed"), name
        assert (text in failed["msg"], failed["failure"]["kind"]) == (True, "InvalidInput"), (name, failed["msg"])
    assert host.state() == before


def test_a_pod_with_ipv6_alone(gateway: Namespace, converge: RunModule, pod: Result, other: Result) -> None:
    lonely = {**pod, "addresses": ["fd00::5"]}
    converge("calico_veth", {"endpoints": [lonely, {**other, "addresses": ["fd00::6"]}]})
    assert set(gateway.routes()) == {"169.254.1.1"}
    inside = Namespace(pod["netns"])
    assert inside.show("-4 route show table main") == []
    assert [row["dst"] for row in inside.show("neigh show nud permanent")] == ["fe80::ecee:eeff:feee:eeee"]
    reach(lonely, "fd00::6")


def test_ipv6_where_the_host_makes_no_link_local_addresses(
    gateway: Namespace, converge: RunModule, pod: Result, other: Result
) -> None:
    """The pods' gateway is the host's end's link-local address, whatever the host does for other devices."""
    gateway.run("sysctl -qw net.ipv6.conf.default.addr_gen_mode=1")
    converge("calico_veth", {"endpoints": [pod, other]})
    shown = gateway.show("-6 addr show dev calidb scope link")
    assert [entry["local"] for row in shown for entry in row["addr_info"] if entry] == ["fe80::ecee:eeff:feee:eeee"]
    reach(pod, "fd00::6")
    reach(pod, "fe80::ecee:eeff:feee:eeee%eth0")


def test_fifty_endpoints_in_one_call(gateway: Namespace, converge: RunModule, netns_name: NetnsName) -> None:
    gateway.run("sysctl -qw net.ipv4.conf.default.forwarding=1")
    before = gateway.state()
    pods = [
        {"name": f"load.pod-{number}", "netns": netns_name(), "addresses": [f"10.244.0.{number}", f"fd00::{number}"]}
        for number in range(1, 51)
    ]
    done = converge("calico_veth", {"endpoints": pods})
    assert done["summary"] == {"create": 50, "replace": 0, "delete": 0}
    assert len(gateway.routes()) == len(gateway.routes(version=6)) + 1 == 51
    for pod in (pods[0], pods[-1]):
        inside = Namespace(str(pod["netns"]))
        assert [inside.sysctl(f"net/ipv{version}") for version in ("4/ip_forward", "6/conf/all/forwarding")] == [
            "0",
            "0",
        ]
    reach(pods[0], "10.244.0.50")
    reach(pods[-1], "fd00::1")
    converge("calico_veth", {"endpoints": pods[:25], "exclusive": True})
    converge("calico_veth", {"endpoints": pods, "state": "absent"})
    assert gateway.state() == before
    left = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
    assert not [pod["netns"] for pod in pods if str(pod["netns"]) in left]
