# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_route against this kernel; the oracle is `ip route`."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.route_monitor import Monitor

BLOCK = "10.244.1.0/26"
BLOCK6 = "fd00:1::/122"

# By name: the option, and what `ip -j route` says of it.
ROUTES: dict[str, tuple[Result, Result]] = {
    "gateway": (
        {"destination": BLOCK, "gateway": "192.0.2.12", "device": "eth0"},
        {"gateway": "192.0.2.12", "dev": "eth0", "flags": []},
    ),
    "gateway without device": (
        {"destination": BLOCK, "gateway": "192.0.2.12"},
        {"gateway": "192.0.2.12", "dev": "eth0"},
    ),
    "onlink": (
        {"destination": BLOCK, "gateway": "198.51.100.9", "device": "eth1", "onlink": True},
        {"gateway": "198.51.100.9", "dev": "eth1", "flags": ["onlink"]},
    ),
    "blackhole": ({"destination": BLOCK, "type": "blackhole"}, {"type": "blackhole"}),
    "unreachable": ({"destination": BLOCK, "type": "unreachable"}, {"type": "unreachable"}),
    "link scope": ({"destination": "169.254.1.1/32", "device": "lo", "scope": "link"}, {"dev": "lo", "scope": "link"}),
    "metric": ({"destination": BLOCK, "device": "eth0", "metric": 50}, {"metric": 50}),
    "source, mtu and table": (
        {"destination": BLOCK, "device": "eth0", "source": "192.0.2.11", "mtu": 1400, "table": 77},
        {"prefsrc": "192.0.2.11", "metrics": [{"mtu": 1400}], "table": "77"},
    ),
    "IPv6 gateway": (
        {"destination": BLOCK6, "gateway": "2001:DB8:0::12", "device": "eth0"},
        {"gateway": "2001:db8::12", "dev": "eth0", "metric": 1024},
    ),
    "IPv6 onlink": (
        {"destination": BLOCK6, "gateway": "2001:db8:9::9", "device": "eth1", "onlink": True},
        {"gateway": "2001:db8:9::9", "flags": ["onlink"]},
    ),
    "IPv6 blackhole": ({"destination": BLOCK6, "type": "blackhole"}, {"type": "blackhole"}),
}


@pytest.mark.parametrize(("route", "expected"), ROUTES.values(), ids=ROUTES)
def test_life_of_a_route(host: Namespace, converge: RunModule, route: Result, expected: Result) -> None:
    version = 6 if ":" in route["destination"] else 4
    before = host.state()
    done = converge("calico_route", {"routes": [route]})
    assert [change["action"] for change in done["changes"]] == ["create"]
    shown = host.routes(version=version)[route["destination"].replace("/32", "")]
    assert {key: shown.get(key) for key in expected} == expected
    converge("calico_route", {"routes": [route], "state": "absent"})
    assert host.state() == before


REPLACEMENTS = {
    "gateway": ({"gateway": "192.0.2.12", "device": "eth0"}, {"gateway": "192.0.2.13", "device": "eth0"}),
    "device": ({"device": "eth0"}, {"device": "eth1"}),
    "type": ({"type": "blackhole"}, {"gateway": "192.0.2.12", "device": "eth0"}),
}


@pytest.mark.parametrize(("before", "after"), REPLACEMENTS.values(), ids=REPLACEMENTS)
def test_replacing_leaves_no_moment_without_route(
    monitor: Monitor, converge: RunModule, before: Result, after: Result
) -> None:
    converge("calico_route", {"routes": [{"destination": BLOCK, **before}]})
    monitor.until_mark("203.0.113.2")
    done = converge("calico_route", {"routes": [{"destination": BLOCK, **after}]})
    assert [change["action"] for change in done["changes"]] == ["replace"]
    lines = [line for line in monitor.until_mark("203.0.113.3") if BLOCK in line]
    assert lines
    assert not [line for line in lines if line.startswith("Deleted")]


@pytest.mark.parametrize("check", [True, False], ids=["check mode", "run"])
def test_a_foreign_route_is_refused(host: Namespace, run_module: RunModule, check: bool) -> None:
    host.ip(f"route add {BLOCK} via 192.0.2.99 dev eth0 proto static")
    before = host.state()
    route = {"destination": BLOCK, "gateway": "192.0.2.12", "device": "eth0"}
    failed = run_module("calico_route", {"routes": [route]}, check=check)
    assert failed["msg"] == (
        f"create route {BLOCK}: one exists that is not ours: {BLOCK} via 192.0.2.99 dev eth0 proto static. "
        "Remove it, give ours another metric, or take it over (calico_route with take_over: true)"
    )
    assert failed["failure"]["kind"] == "Conflict"
    assert host.state() == before
    converged = run_module("calico_route", {"routes": [{**route, "metric": 7}]})
    assert converged["changes"] == [{"action": "create", "kind": "route", "name": f"{BLOCK} metric 7"}]


def test_exclusive_keeps_foreign_and_pods_routes(
    host: Namespace, converge: RunModule, run_module: RunModule, netns_name: t.Callable[[], str]
) -> None:
    pod = {"name": "shop.web", "netns": netns_name(), "addresses": ["10.244.0.5"]}
    run_module("calico_veth", {"endpoints": [pod]})
    host.ip("route add 203.0.113.0/24 dev eth1 proto static")
    wanted = {"destination": BLOCK, "type": "blackhole"}
    left = [{"destination": "10.244.2.0/26", "device": "eth0"}, {"destination": BLOCK6, "type": "blackhole"}]
    run_module("calico_route", {"routes": [wanted, *left]})
    assert run_module("calico_route", {"routes": [wanted]})["surplus"] == ["10.244.2.0/26", BLOCK6]
    done = converge("calico_route", {"routes": [wanted], "exclusive": True})
    assert {change["action"] for change in done["changes"]} == {"delete"}
    assert set(host.routes()) == {BLOCK, "10.244.0.5"}
    assert host.routes(version=6) == {}
    assert "203.0.113.0/24" in host.routes("proto static")


GOOD = {"destination": "10.244.9.0/26", "type": "blackhole"}
INVALID = {
    "host bits": ({"destination": "10.0.0.1/26", "device": "eth0"}, "10.0.0.1/26"),
    "gateway of another version": ({"destination": BLOCK, "gateway": "2001:db8::1"}, "another IP version"),
    "gateway that is none": ({"destination": BLOCK, "gateway": "node2"}, 'gateway "node2" is not an address'),
    "unicast without way": ({"destination": BLOCK}, "neither gateway nor device"),
    "blackhole with gateway": ({"destination": BLOCK, "type": "blackhole", "gateway": "192.0.2.12"}, "no gateway"),
    "listed twice": ({"destination": GOOD["destination"], "device": "eth0"}, "is listed twice"),
}


@pytest.mark.parametrize(("route", "text"), INVALID.values(), ids=INVALID)
def test_invalid_input_touches_nothing(host: Namespace, run_module: RunModule, route: Result, text: str) -> None:
    before = host.state()
    failed = run_module("calico_route", {"routes": [GOOD, route]})
    assert failed["failure"]["kind"] == "InvalidInput"
    assert text in failed["msg"]
    assert host.state() == before


def test_routes_that_differ_in_metric_live_side_by_side(host: Namespace, converge: RunModule) -> None:
    routes = [{"destination": BLOCK, "device": "eth0", "metric": metric} for metric in (0, 1024)]
    done = converge("calico_route", {"routes": routes})
    assert [change["name"] for change in done["changes"]] == [BLOCK, f"{BLOCK} metric 1024"]
    assert sorted(route.get("metric", 0) for route in host.show("route show proto 98")) == [0, 1024]


def test_a_refusal_of_the_kernel_says_what_was_attempted(run_module: RunModule) -> None:
    route = {"destination": BLOCK, "gateway": "198.51.100.9", "device": "eth0"}
    failed = run_module("calico_route", {"routes": [route]})
    assert failed["msg"] == (
        f"create route {BLOCK} via 198.51.100.9 dev eth0: Network is unreachable (Nexthop has invalid gateway). "
        "The gateway is not reachable through that device; set onlink if it is meant so"
    )


def test_a_missing_device_is_named(run_module: RunModule) -> None:
    failed = run_module("calico_route", {"routes": [{"destination": BLOCK, "device": "eth9"}]})
    assert "there is no device eth9" in failed["msg"]
