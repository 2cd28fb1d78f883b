# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replacing routes, ours and those of others, without a moment in which a destination has none."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.route_monitor import Monitor

BLOCK = "10.244.1.0/26"
BLOCK6 = "fd00:1::/122"
FORMS: dict[int, dict[str, Result]] = {
    version: {
        "gateway": {"gateway": one, "device": "eth0"},
        "other gateway": {"gateway": other, "device": "eth0"},
        "onlink": {"gateway": far, "device": "eth1", "onlink": True},
        "device": {"device": "eth0"},
        "blackhole": {"type": "blackhole"},
        "unreachable": {"type": "unreachable"},
        "multipath": {"next_hops": [{"gateway": one}, {"gateway": other, "weight": 2}]},
        "mtu": {"gateway": one, "device": "eth0", "mtu": 1400},
        "source": {"device": "eth0", "source": own},
    }
    for version, own, one, other, far in (
        (4, "192.0.2.11", "192.0.2.12", "192.0.2.13", "198.51.100.9"),
        (6, "2001:db8::11", "2001:db8::12", "2001:db8::13", "2001:db8:9::9"),
    )
}
# Goes through every form, and from and to those that the kernel treats differently.
ORDER = ("gateway", "blackhole", "multipath", "device", "multipath", "unreachable", "onlink", "multipath", "gateway")
ORDER += ("device", "blackhole", "source", "blackhole", "mtu", "other gateway", "unreachable", "device", "gateway")


@pytest.mark.parametrize("destination", [BLOCK, BLOCK6], ids=["IPv4", "IPv6"])
def test_from_form_to_form_without_a_gap(
    host: Namespace, monitor: Monitor, run_module: RunModule, destination: str
) -> None:
    version = 6 if ":" in destination else 4
    run_module("calico_route", {"routes": [{"destination": destination, **FORMS[version]["mtu"]}]})
    monitor.until_mark("203.0.113.100")
    for place, form in enumerate(ORDER, 101):
        params = {"routes": [{"destination": destination, **FORMS[version][form]}]}
        done = run_module("calico_route", params)
        assert (form, done.get("summary", done.get("msg"))) == (form, {"create": 0, "replace": 1, "delete": 0})
        assert (form, monitor.deleted(destination, f"203.0.113.{place}")) == (form, [])
        assert (form, len(host.show(f"-{version} route show {destination}"))) == (form, 1)
        assert (form, run_module("calico_route", params)["changed"]) == (form, False)


# By name: how somebody else made a route, what we want, and how the error and the diff show theirs.
FOREIGN: dict[str, tuple[str, Result, str]] = {
    "gateway": (
        f"{BLOCK} via 192.0.2.99 dev eth0 proto static",
        {"destination": BLOCK, "gateway": "192.0.2.12"},
        f"{BLOCK} via 192.0.2.99 dev eth0 proto static",
    ),
    "the same but for its owner": (
        f"{BLOCK} via 192.0.2.12 dev eth0 proto bird",
        {"destination": BLOCK, "gateway": "192.0.2.12", "device": "eth0"},
        f"{BLOCK} via 192.0.2.12 dev eth0 proto bird",
    ),
    "of Felix": (
        f"blackhole {BLOCK} proto 80",
        {"destination": BLOCK, "type": "blackhole"},
        f"{BLOCK} blackhole proto 80 (Calico's Felix)",
    ),
    "several next hops": (
        f"{BLOCK} proto static nexthop via 192.0.2.98 nexthop via 192.0.2.99 weight 2",
        {"destination": BLOCK, "gateway": "192.0.2.12", "device": "eth0"},
        f"{BLOCK} nexthop via 192.0.2.98 dev eth0 weight 1 nexthop via 192.0.2.99 dev eth0 weight 2 proto static",
    ),
    "default": (
        "default via 192.0.2.99 dev eth0 proto dhcp",
        {"destination": "0.0.0.0/0", "gateway": "192.0.2.12"},
        "0.0.0.0/0 via 192.0.2.99 dev eth0 proto dhcp",
    ),
    "default with a metric": (
        "default via 192.0.2.99 dev eth0 proto dhcp metric 100",
        {"destination": "0.0.0.0/0", "gateway": "192.0.2.12", "metric": 100},
        "0.0.0.0/0 metric 100 via 192.0.2.99 dev eth0 proto dhcp",
    ),
    "table 1000": (
        f"{BLOCK} via 192.0.2.99 dev eth0 proto static table 1000",
        {"destination": BLOCK, "gateway": "192.0.2.12", "table": 1000},
        f"{BLOCK} table 1000 via 192.0.2.99 dev eth0 proto static",
    ),
    "the kernel's": (
        "192.0.2.0/25 dev eth0 proto kernel scope link src 192.0.2.11",
        {"destination": "192.0.2.0/25", "device": "eth1"},
        "192.0.2.0/25 dev eth0 src 192.0.2.11 scope link proto kernel",
    ),
    "IPv6": (
        f"{BLOCK6} via 2001:db8::99 dev eth0 proto static",
        {"destination": BLOCK6, "gateway": "2001:db8::12"},
        f"{BLOCK6} via 2001:db8::99 dev eth0 proto static",
    ),
    "IPv6 several next hops": (
        f"{BLOCK6} proto static nexthop via 2001:db8::98 nexthop via 2001:db8::99",
        {"destination": BLOCK6, "type": "blackhole"},
        f"{BLOCK6} nexthop via 2001:db8::98 dev eth0 weight 1 nexthop via 2001:db8::99 dev eth0 weight 1 proto static",
    ),
    "IPv6 default in table 1000": (
        "default via 2001:db8::99 dev eth0 table 1000 proto static",
        {"destination": "::/0", "gateway": "2001:db8::12", "table": 1000},
        "::/0 table 1000 via 2001:db8::99 dev eth0 proto static",
    ),
    "IPv6 blackhole": (
        f"blackhole {BLOCK6} proto 80",
        {"destination": BLOCK6, "gateway": "2001:db8::12"},
        f"{BLOCK6} blackhole proto 80 (Calico's Felix)",
    ),
}


def version_of(route: Result) -> int:
    return 6 if ":" in route["destination"] else 4


@pytest.mark.parametrize(("foreign", "route", "shown"), FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_route_stays_or_is_taken_over_without_a_gap(
    host: Namespace,
    monitor: Monitor,
    run_module: RunModule,
    converge: RunModule,
    foreign: str,
    route: Result,
    shown: str,
) -> None:
    version = version_of(route)
    host.ip(f"-{version} route add {foreign}")
    _refused_and_untouched(host, run_module, route, shown)
    monitor.until_mark("203.0.113.2")
    done = converge("calico_route", {"routes": [route], "take_over": True})
    assert done["summary"] == {"create": 0, "replace": 1, "delete": 0}
    assert done["diff"]["before"] == f"route {shown}\n"
    assert "proto" not in done["diff"]["after"]
    destination = "default" if route["destination"].endswith("/0") else route["destination"]
    assert monitor.deleted(destination, "203.0.113.3") == []
    (left,) = host.show(f"-{version} route show {destination} table {route.get('table', 254)}")
    assert left["protocol"] == "98"
    assert run_module("calico_route", {"routes": [route]})["changed"] is False


def _refused_and_untouched(host: Namespace, run_module: RunModule, route: Result, shown: str) -> None:
    before = host.state()
    name = " ".join(re.findall(r"^\S+| table \d+| metric \d+", shown)).replace("  ", " ")
    for check in (True, False):
        routes = [{"destination": "10.9.0.0/24", "device": "eth0"}, route]
        failed = run_module("calico_route", {"routes": routes}, check=check)
        assert failed["msg"] == (
            f"create route {name}: one exists that is not ours: {shown}. "
            "Remove it, give ours another metric, or take it over (calico_route with take_over: true)"
        )
        assert failed["failure"]["kind"] == "Conflict"
        assert host.state() == before


NOT_IN_THE_WAY = {
    "other metric": f"{BLOCK} via 192.0.2.99 dev eth0 proto static metric 5",
    "TOS": f"{BLOCK} via 192.0.2.99 dev eth0 proto static tos 0x10",
    "other table": f"{BLOCK} via 192.0.2.99 dev eth0 proto static table 1000",
    "other prefix length": "10.244.1.0/27 via 192.0.2.99 dev eth0 proto static",
}


def test_foreign_routes_that_are_not_in_the_way(host: Namespace, converge: RunModule) -> None:
    host.batch(*(f"route add {foreign}" for foreign in NOT_IN_THE_WAY.values()))
    before = host.state()
    for take_over in (False, True):
        params = {"routes": [{"destination": BLOCK, "gateway": "192.0.2.12"}], "take_over": take_over}
        assert converge("calico_route", params)["summary"] == {"create": 1, "replace": 0, "delete": 0}
        converge("calico_route", {"routes": [], "exclusive": True, "take_over": take_over})
        assert host.state() == before


def test_ours_and_a_foreign_one_of_other_tos_live_side_by_side(host: Namespace, converge: RunModule) -> None:
    """Ours stays ours, and is the one that is changed and removed, when somebody adds a route with a TOS."""
    routes = [{"destination": BLOCK, "gateway": "192.0.2.12"}]
    converge("calico_route", {"routes": routes})
    host.ip(f"route add {BLOCK} tos 0x10 via 192.0.2.99 dev eth0 proto static")
    converge("calico_route", {"routes": [{**routes[0], "gateway": "192.0.2.13"}]})
    converge("calico_route", {"routes": routes, "state": "absent"})
    assert [route["gateway"] for route in host.show(f"route show {BLOCK}")] == ["192.0.2.99"]


def test_take_over_leaves_what_is_not_listed(host: Namespace, converge: RunModule) -> None:
    host.batch(
        f"route add {BLOCK} dev eth0 proto static",
        "route add 203.0.113.0/24 dev eth1 proto static",
        f"route add {BLOCK6} dev eth1 proto static",
    )
    converge(
        "calico_route", {"routes": [{"destination": BLOCK, "device": "eth1"}], "take_over": True, "exclusive": True}
    )
    protocols = {route["dst"]: route["protocol"] for version in (4, 6) for route in host.show(f"-{version} route show")}
    assert (protocols[BLOCK], protocols["203.0.113.0/24"], protocols[BLOCK6]) == ("98", "static", "static")


def test_absent_never_takes_a_foreign_route(host: Namespace, converge: RunModule) -> None:
    host.batch(f"route add {BLOCK} dev eth0 proto static", f"route add {BLOCK6} dev eth1 proto static")
    before = host.state()
    routes: list[dict[str, t.Any]] = [{"destinations": [BLOCK, BLOCK6], "device": "eth0"}]
    done = converge("calico_route", {"routes": routes, "state": "absent", "take_over": True, "exclusive": True})
    assert done["changed"] is False
    assert host.state() == before
