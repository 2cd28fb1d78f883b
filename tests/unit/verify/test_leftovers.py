# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What names a node that was removed: routes, and lines of files."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.kernel.devices import Devices
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_entries import parse
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_wire import decode
from ansible_collections.podnet.calico.plugins.module_utils.marks import BIRD_PROTOCOL, ROUTE_PROTOCOL
from ansible_collections.podnet.calico.plugins.module_utils.verify.leftovers import Traces, of_routes

STATIC = 4
OURS, BIRD, OTHERS = (ROUTE_PROTOCOL,), (BIRD_PROTOCOL,), (STATIC,)
ALL = (*OURS, *BIRD, *OTHERS)
# node3: its addresses (of the underlay, of both tunnels), its block, and an address that it borrowed.
NODE3 = Traces(
    "node3",
    ["192.0.2.13/24", "10.244.135.1", "2001:db8::13"],
    ["10.244.135.0/26", "10.244.9.7/32", "fd00:10::40/122"],
)


def by(gateway: str) -> dict[str, t.Any]:
    return {"gateway": gateway, "device": "eth0"}


# By name: a route, and whose it has to be to name the node.
ROUTES: dict[str, tuple[dict[str, t.Any], tuple[int, ...]]] = {
    "to its block": ({"destination": "10.244.135.0/26", **by("192.0.2.1")}, ALL),
    "to a part of its block": ({"destination": "10.244.135.32/27", "type": "blackhole"}, ALL),
    "to a pod of it": ({"destination": "10.244.135.9/32", "device": "cali0"}, ALL),
    "to what it borrowed": ({"destination": "10.244.9.7/32", **by("192.0.2.12")}, ALL),
    "to its block of IPv6": ({"destination": "fd00:10::40/122", **by("2001:db8::1")}, ALL),
    "to its block in another table": ({"destination": "10.244.135.0/26", **by("192.0.2.1"), "table": 99}, ALL),
    "by its address": ({"destination": "10.244.77.0/26", **by("192.0.2.13")}, (*OURS, *BIRD)),
    "by its tunnel": ({"destination": "10.244.77.0/26", **by("10.244.135.1"), "onlink": True}, (*OURS, *BIRD)),
    "by its address among others": (
        {"destination": "10.244.77.0/26", "next_hops": [by("192.0.2.12"), by("192.0.2.13")]},
        (*OURS, *BIRD),
    ),
    "to its address": ({"destination": "192.0.2.13/32", **by("192.0.2.1")}, (*OURS, *BIRD)),
    "to the pool": ({"destination": "10.244.0.0/16", **by("192.0.2.1")}, ()),
    "to another block": ({"destination": "10.244.134.0/26", **by("192.0.2.12")}, ()),
    "by another address": ({"destination": "10.244.77.0/26", **by("192.0.2.130")}, ()),
    "to its subnet": ({"destination": "192.0.2.0/24", "device": "eth0"}, ()),
    "to everything": ({"destination": "0.0.0.0/0", **by("192.0.2.1")}, ()),
}


@pytest.mark.parametrize("protocol", ALL, ids=["ours", "bird", "others"])
@pytest.mark.parametrize(("options", "whose"), ROUTES.values(), ids=ROUTES)
def test_routes_that_name_a_node(options: dict[str, t.Any], whose: tuple[int, ...], protocol: int) -> None:
    devices = Devices(unborn=True)
    (body,) = parse([options], devices).bodies
    route = decode(body)._replace(protocol=protocol)
    found = list(of_routes([route], {devices.index("eth0", ""): "eth0"}, NODE3))
    assert len(found) == (protocol in whose)
    assert all(each.kind == "route" and each.text.startswith(options["destination"]) for each in found)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("neighbor 192.0.2.13 port 179 as 64512;", True),
        ("protocol bgp bgp_192_0_2_13 from podnet_session4 {", True),
        ("protocol bgp bgp_192_0_2_13_port_1790 from podnet_session4 {", True),
        ('description "mesh node3";', True),
        ('"subnet": "10.244.135.0/26"', True),
        ("protocol bgp bgp_2001_db8__13 {", True),
        ("neighbor 192.0.2.130 port 179 as 64512;", False),
        ("protocol bgp bgp_192_0_2_130 {", False),
        ("neighbor 1.192.0.2.13;", False),
        ('description "mesh node33";', False),
        ('description "mesh node-node3";', False),
        ("route 10.244.135.0/260;", False),
        ("define POOLS4 = [ 10.244.0.0/16{26,32} ];", False),
    ],
)
def test_lines_that_name_a_node(line: str, named: bool) -> None:
    assert NODE3.found_in(line) is named


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(InvalidInput, match="look for what is left of node3"):
        Traces("node3", ["node3.example.com"], [])
