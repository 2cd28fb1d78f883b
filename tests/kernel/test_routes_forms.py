# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms in which calico_route takes routes: several next hops, groups, tables, default routes; the oracle is `ip`."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.route_monitor import Monitor
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

BLOCK = "10.244.1.0/26"
BLOCK6 = "fd00:1::/122"
VERSIONS = {4: (BLOCK, "192.0.2.{}"), 6: (BLOCK6, "2001:db8::{}")}


def multipath(version: int, **weights: int) -> Result:
    """Return a route with next hops by the last part of their addresses: multipath(4, n12=3, n13=1)."""
    destination, pattern = VERSIONS[version]
    hops = [{"gateway": pattern.format(last[1:]), "weight": weight} for last, weight in weights.items()]
    return {"destination": destination, "next_hops": hops}


def hops(host: Namespace, version: int) -> dict[str, int]:
    """Return the weights of the next hops of the one route of ours, by gateway."""
    (route,) = host.routes(version=version).values()
    assert {hop["dev"] for hop in route["nexthops"]} == {"eth0"}
    return {hop["gateway"]: hop["weight"] for hop in route["nexthops"]}


@pytest.mark.parametrize("version", VERSIONS)
def test_life_of_a_multipath_route(host: Namespace, converge: RunModule, run_module: RunModule, version: int) -> None:
    before = host.state()
    pattern = VERSIONS[version][1]
    converge("calico_route", {"routes": [multipath(version, n13=1, n12=3)]})
    assert hops(host, version) == {pattern.format(12): 3, pattern.format(13): 1}
    other_way_round = run_module("calico_route", {"routes": [multipath(version, n12=3, n13=1)]})
    assert other_way_round["changed"] is False
    converge("calico_route", {"routes": [multipath(version, n12=3)], "state": "absent"})
    assert host.state() == before


HOPS: dict[str, dict[str, int]] = {
    "hop added": {"n12": 1, "n13": 1, "n14": 1},
    "hop added in front": {"n9": 1, "n12": 1, "n13": 1, "n14": 1},
    "hops removed": {"n12": 1, "n14": 1},
    "hop replaced": {"n12": 1, "n13": 1},
    "weight": {"n12": 1, "n13": 5},
    "all others": {"n21": 2, "n22": 3},
}


@pytest.mark.parametrize("version", VERSIONS)
def test_changed_next_hops_replace_the_route(
    host: Namespace, monitor: Monitor, converge: RunModule, version: int
) -> None:
    destination, pattern = VERSIONS[version]
    converge("calico_route", {"routes": [multipath(version, n12=1, n13=1)]})
    monitor.until_mark("203.0.113.100")
    for place, (name, weights) in enumerate(HOPS.items(), 101):
        done = converge("calico_route", {"routes": [multipath(version, **weights)]})
        assert (name, done["summary"]) == (name, {"create": 0, "replace": 1, "delete": 0})
        assert (name, monitor.deleted(destination, f"203.0.113.{place}")) == (name, [])
        assert hops(host, version) == {pattern.format(last[1:]): weight for last, weight in weights.items()}


@pytest.mark.parametrize("version", VERSIONS)
def test_to_one_next_hop_and_back(host: Namespace, monitor: Monitor, converge: RunModule, version: int) -> None:
    destination, pattern = VERSIONS[version]
    several, single = multipath(version, n12=1, n13=1), {"destination": destination, "gateway": pattern.format(13)}
    for place, route in enumerate([single, several, multipath(version, n13=1), several], 2):
        done = converge("calico_route", {"routes": [route]})
        assert len(done["changes"]) == 1
        gone = monitor.deleted(destination, f"203.0.113.{place}")
        assert gone == []
    assert len(hops(host, version)) == 2


FAR_GATEWAYS = {4: ("198.51.100.8", "198.51.100.9"), 6: ("2001:db8:9::8", "2001:db8:9::9")}


@pytest.mark.parametrize("version", VERSIONS)
def test_onlink_next_hops_through_several_devices(host: Namespace, converge: RunModule, version: int) -> None:
    one, other = FAR_GATEWAYS[version]
    wanted = [
        {"gateway": one, "device": "eth1", "onlink": True},
        {"gateway": other, "device": "eth0", "onlink": True},
    ]
    converge("calico_route", {"routes": [{"destination": VERSIONS[version][0], "next_hops": wanted}]})
    (route,) = host.routes(version=version).values()
    shown = {(hop["gateway"], hop["dev"], *hop["flags"]) for hop in route["nexthops"]}
    assert shown == {(one, "eth1", "onlink"), (other, "eth0", "onlink")}


@pytest.mark.parametrize("version", VERSIONS)
def test_next_hops_with_and_without_device(converge: RunModule, version: int) -> None:
    route = multipath(version, n12=1, n13=1)
    route["next_hops"][0]["device"] = "eth0"
    assert converge("calico_route", {"routes": [route]})["summary"]["create"] == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_a_next_hop_whose_link_is_down_is_no_change(host: Namespace, converge: RunModule, version: int) -> None:
    host.batch("link add low type veth peer name high", "link set low up", "link set high up")
    gateways = FAR_GATEWAYS[version]
    wanted = [
        {"gateway": gateways[0], "device": "low", "onlink": True},
        {"gateway": gateways[1], "device": "eth0", "onlink": True},
    ]
    single = {"gateway": gateways[0], "device": "low", "onlink": True}
    destinations = ("10.1.0.0/24", "10.2.0.0/24") if version == 4 else ("fd01::/64", "fd02::/64")
    routes = [{"destination": destinations[0], "next_hops": wanted}, {"destination": destinations[1], **single}]
    converge("calico_route", {"routes": routes})
    host.ip("link set high down")
    # The kernel notices by and by.
    wait_for(lambda: "linkdown" in host.routes(version=version)[destinations[1]]["flags"], "the loss of the link")
    shown = host.routes(version=version)
    assert any("linkdown" in hop["flags"] for hop in shown[destinations[0]]["nexthops"])
    assert converge("calico_route", {"routes": routes})["changed"] is False
    assert converge("calico_route", {"routes": routes, "state": "absent"})["summary"]["delete"] == 2


def test_a_dead_next_hop_is_no_change(host: Namespace, converge: RunModule) -> None:
    """IPv4 keeps a route of several next hops when one of their devices is set down, and marks that hop as dead."""
    host.batch("link add low type veth peer name high", "link set low up", "link set high up")
    wanted = [
        {"gateway": gateway, "device": device, "onlink": True}
        for gateway, device in (("198.51.100.8", "low"), ("198.51.100.9", "eth0"))
    ]
    route = {"destination": BLOCK, "next_hops": wanted}
    converge("calico_route", {"routes": [route]})
    host.ip("link set low down")
    assert any("dead" in hop["flags"] for hop in host.routes()[BLOCK]["nexthops"])
    assert converge("calico_route", {"routes": [route]})["changed"] is False


def many(count: int) -> list[str]:
    return [f"10.{200 + number // 256}.{number % 256}.0/24" for number in range(count)]


def test_a_group_is_the_same_as_its_single_entries(host: Namespace, converge: RunModule, run_module: RunModule) -> None:
    before = host.state()
    way = {"gateway": "192.0.2.12", "device": "eth0", "metric": 50}
    group = {"routes": [{"destinations": many(1000), **way}]}
    singles = {"routes": [{"destination": destination, **way} for destination in many(1000)]}
    predicted = run_module("calico_route", singles, check=True)
    done = converge("calico_route", group)
    assert (done["summary"]["create"], done["diff"]) == (1000, predicted["diff"])
    assert set(host.routes()) == set(many(1000))
    assert {(route["gateway"], route["metric"]) for route in host.routes().values()} == {("192.0.2.12", 50)}
    assert run_module("calico_route", singles)["changed"] is False
    assert converge("calico_route", {**group, "state": "absent"})["summary"]["delete"] == 1000
    assert host.state() == before


def test_a_group_of_both_families_and_several_lengths(host: Namespace, converge: RunModule) -> None:
    networks = ["10.1.0.0/24", "fd01::/64", "10.2.0.0/16", "10.3.0.7", "fd02::7", "fd03::/48", "10.4.0.8/32"]
    converge("calico_route", {"routes": [{"destinations": networks, "type": "blackhole"}]})
    assert set(host.routes()) == {"10.1.0.0/24", "10.2.0.0/16", "10.3.0.7", "10.4.0.8"}
    assert set(host.routes(version=6)) == {"fd01::/64", "fd02::7", "fd03::/48"}
    assert {route["type"] for version in (4, 6) for route in host.routes(version=version).values()} == {"blackhole"}


def test_the_same_route_in_other_words_is_one(host: Namespace, converge: RunModule) -> None:
    way = {"type": "blackhole"}
    routes = [
        {"destination": "FD00:0001:0::/122", **way},
        {"destinations": [BLOCK6, "fd00:1::/122"], "metric": 1024, **way},
    ]
    assert converge("calico_route", {"routes": routes})["summary"]["create"] == 1
    assert set(host.routes(version=6)) == {BLOCK6}


@pytest.mark.parametrize(
    ("destination", "gateway"), [("0.0.0.0/0", "192.0.2.12"), ("::/0", "2001:db8::12")], ids=["IPv4", "IPv6"]
)
@pytest.mark.parametrize("table", [254, 1000])
def test_default_routes(host: Namespace, converge: RunModule, destination: str, gateway: str, table: int) -> None:
    before = host.state()
    route = {"destination": destination, "gateway": gateway, "table": table}
    converge("calico_route", {"routes": [route]})
    version = 6 if ":" in destination else 4
    assert host.show(f"-{version} route show default table {table} proto 98")[0]["gateway"] == gateway
    converge("calico_route", {"routes": [{**route, "gateway": gateway.replace("12", "13")}]})
    (shown,) = host.show(f"-{version} route show default table {table} proto 98")
    assert shown["gateway"] == gateway.replace("12", "13")
    converge("calico_route", {"routes": [route], "state": "absent"})
    assert host.state() == before


TABLES = (77, 254, 1000, 4294967295)


@pytest.mark.parametrize("destination", [BLOCK, BLOCK6], ids=["IPv4", "IPv6"])
def test_one_destination_in_several_tables(host: Namespace, converge: RunModule, destination: str) -> None:
    routes = [{"destination": destination, "device": "eth0", "table": table} for table in TABLES]
    assert converge("calico_route", {"routes": routes})["summary"]["create"] == len(TABLES)
    version = 6 if ":" in destination else 4
    for table in TABLES:
        assert [route["dst"] for route in host.show(f"-{version} route show table {table} proto 98")] == [destination]
    converge("calico_route", {"routes": [routes[2]], "state": "absent"})
    assert len(host.show(f"-{version} route show table all proto 98")) == len(TABLES) - 1


def test_exclusive_prunes_all_tables_and_families(host: Namespace, converge: RunModule) -> None:
    host.batch("route add 203.0.113.0/24 dev eth1 proto static table 1000", "route add fd99::/64 dev eth0 proto static")
    before = host.state()
    ways: list[dict[str, t.Any]] = [{"type": "blackhole"}, {"type": "unreachable", "metric": 7}]
    routes = [{"destinations": [BLOCK, BLOCK6], **way, "table": table} for table in TABLES for way in ways]
    converge("calico_route", {"routes": routes})
    done = converge("calico_route", {"routes": [], "exclusive": True})
    assert done["summary"] == {"create": 0, "replace": 0, "delete": 4 * len(TABLES)}
    assert host.state() == before


def test_metric_zero_is_the_kernels_default(host: Namespace, converge: RunModule, run_module: RunModule) -> None:
    routes = [{"destination": BLOCK6, "device": "eth0", "metric": 0}, {"destination": BLOCK, "device": "eth0"}]
    done = converge("calico_route", {"routes": routes})
    assert [change["name"] for change in done["changes"]] == [BLOCK6, BLOCK]
    assert host.routes(version=6)[BLOCK6]["metric"] == 1024
    assert run_module("calico_route", {"routes": [{"destination": BLOCK6, "device": "eth0"}]})["changed"] is False


@pytest.mark.parametrize("version", VERSIONS)
def test_a_gateway_without_device_follows_the_kernels_choice(
    host: Namespace, converge: RunModule, run_module: RunModule, version: int
) -> None:
    destination, pattern = VERSIONS[version]
    route = {"destination": destination, "gateway": pattern.format(12), "source": pattern.format(11), "mtu": 1400}
    converge("calico_route", {"routes": [route]})
    assert host.routes(version=version)[destination]["dev"] == "eth0"
    assert run_module("calico_route", {"routes": [{**route, "device": "eth0"}]})["changed"] is False
    assert run_module("calico_route", {"routes": [route]})["changed"] is False
