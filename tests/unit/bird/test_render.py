# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BIRD's configuration: golden per encapsulation and per topology, and what the real parsers say of it."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.bird import daemon
from ansible_collections.podnet.calico.plugins.module_utils.bird.render import render, render_empty
from ansible_collections.podnet.calico.plugins.module_utils.bird.render_secrets import render_secrets
from ansible_collections.podnet.calico.plugins.module_utils.calico import ENCAPSULATIONS
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.tests.unit.bird.bgp_cases import (
    FAR,
    NEAR,
    TOPOLOGIES,
    Data,
    bgp,
    client,
    external,
    family4,
    family6,
    mesh,
    pool,
    session,
)
from ansible_collections.podnet.calico.tests.unit.bird.bird_parsers import VERSIONS, lines_of, parse
from ansible_collections.podnet.calico.tests.unit.planner import clusters
from ansible_collections.podnet.calico.tests.unit.planner.test_bgp_topologies import SETTINGS, planned

PASSWORDS = {"bgp-secrets": {"tor": "a 'b' \\ $ # ; { ü"}}


@pytest.mark.parametrize("encapsulation", ENCAPSULATIONS)
def test_encapsulation(encapsulation: str, golden: t.Callable[[str, str], None], tmp_path: Path) -> None:
    text = render(bgp(*mesh(), families=[family4(encapsulation)]))
    golden(f"bird/{encapsulation}.conf", text)
    parse(text, tmp_path)


@pytest.mark.parametrize("encapsulation", ["IPIP", "IPIPCrossSubnet"])
def test_tunnels_of_bird_3(encapsulation: str, golden: t.Callable[[str, str], None]) -> None:
    golden(f"bird/{encapsulation}-bird3.conf", render(bgp(*mesh(), families=[family4(encapsulation)]), version=(3, 1)))


@pytest.mark.parametrize("version", [(2, 0), (2, 17)], ids=str)
def test_settings_as_they_are_planned(version: tuple[int, int], golden: t.Callable[[str, str], None]) -> None:
    text = render(planned(SETTINGS)["n2"].as_dict(), version=version, passwords={"bgp": {"mesh": "secret"}})
    golden(f"bird/settings-{version[0]}.{version[1]}.conf", text)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_topology(topology: str, golden: t.Callable[[str, str], None], tmp_path: Path) -> None:
    text = render(TOPOLOGIES[topology], bfd=topology == "dual_stack")
    golden(f"bird/topology-{topology}.conf", text)
    parse(text, tmp_path, secrets=render_secrets(TOPOLOGIES[topology], PASSWORDS, "n1"))


CASES: dict[str, Data] = {
    **{f"topology {name}": data for name, data in TOPOLOGIES.items() if name != "client"},
    **{encapsulation: bgp(*mesh(), families=[family4(encapsulation)]) for encapsulation in ENCAPSULATIONS},
    "client": client("VXLAN"),
    "no session": bgp(),
    "no pool": bgp(*mesh(), external(), families=[family4(pools=(), blocks=())]),
    "no pool, reflector": bgp(*mesh(), families=[family4(pools=(), blocks=())], cluster_id="224.0.0.1"),
    "no block": bgp(*mesh(), families=[family4(blocks=())]),
    "block of one address": bgp(*mesh(), families=[family4(blocks=("10.244.0.7/32",))]),
    "two pools": bgp(*mesh(), families=[family4(pools=(pool(), pool("VXLAN", cidr="10.245.0.0/16")))]),
    "bound": bgp(session(NEAR[4], source=None), *mesh(6), families=[family4(), family6()], bind_to_node=True),
    "own port": bgp(*mesh(), listen_port=1790),
    "ignored": bgp(*mesh(), ignored_interfaces=("eth1.*", "docker0")),
    "all is logged": bgp(*mesh(), debug="all"),
    "nothing is logged": bgp(*mesh(), debug=""),
    "next hop kept": bgp(session(NEAR[4], next_hop="keep")),
    "long restart": bgp(session(NEAR[4], restart_time=86400)),
    "odd node name": bgp(session(NEAR[4], peer='a"b')),
    "longest names": bgp(
        session("2001:db8:1111:2222:3333:4444:5555:6666", filters=("n" * 253,)),
        families=[family6()],
        filters=({"name": "n" * 253, "rules": {}},),
    ),
}
CASES["longest names"]["sessions"][0]["name"] += "_port_65535"


@pytest.mark.parametrize("case", CASES)
def test_every_bird_reads_it_without_a_warning(case: str, release: str, tmp_path: Path) -> None:
    for bfd in (False, True):
        text = render(CASES[case], bfd=bfd, version=VERSIONS[release])
        parse(text, tmp_path, release, render_secrets(CASES[case], PASSWORDS, "n1"))


def test_every_bird_reads_what_the_planner_makes(release: str, tmp_path: Path) -> None:
    router = clusters.document("BGPPeer", "router", peerIP="192.0.2.1:1790", asNumber=64513)
    made = clusters.plans(clusters.cluster(clusters.pool(encapsulation="IPIP"), extra=[router]))
    for plan in made.values():
        assert len(plan["bgp"]["sessions"]) == len(made)
        parse(render(plan["bgp"], version=VERSIONS[release]), tmp_path, release)


def test_every_bird_reads_the_empty_configuration(release: str, tmp_path: Path) -> None:
    parse(render_empty(), tmp_path, release)


@pytest.mark.parametrize(
    ("sessions", "merging"),
    [
        (mesh(), []),
        ((*mesh(), external()), []),
        ((*mesh(), external(), external(6)), []),
        ((*mesh(6), external(), session("192.0.2.2", peer=None), external(6)), ["4"]),
    ],
    ids=["nodes", "a router", "a router for each IP version", "two routers"],
)
def test_paths_are_merged_only_where_routers_may_give_several(sessions: t.Any, merging: list[str]) -> None:
    text = render(bgp(*sessions, families=[family4(), family6()]))
    parts = re.findall(r"^protocol kernel podnet_kernel(\d) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    assert [version for version, lines in parts if "merge paths" in lines] == merging
    assert len(parts) == 2


def test_a_route_that_the_kernel_dropped_is_back_within_two_seconds() -> None:
    assert render(bgp(*mesh(), families=[family4(), family6()])).count("\n  scan time 2;\n") == 2


MIXED = family4(pools=(pool("IPIP"), pool(cidr="10.245.0.0/16")))
IMPOSSIBLE = {
    "reflectors": (
        client("IPIPCrossSubnet"),
        rf"next hops behind route reflectors \({NEAR[4]}, {FAR[4]}\) are not known",
    ),
    "two modes": (bgp(*mesh(), families=[MIXED]), "all pools that are not VXLAN must have the same ipipMode"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_bird_3_refuses_tunnels_it_cannot_make(case: str) -> None:
    data, words = IMPOSSIBLE[case]
    render(data, version=(2, 17))
    with pytest.raises(InvalidInput, match=words):
        render(data, version=(3, 1))


OPTIONS: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], list[str], list[str]]] = {
    "plain": (
        {},
        {},
        ["local 192.0.2.11 port 179 as 64512;", "neighbor 192.0.2.12 port 179 as 64512;", "multihop;"],
        ["passive", "ttl security", "password", "rr ", "next hop", "strict bind", "bfd"],
    ),
    "kernel's source": ({"source": None}, {}, ["local port 179 as 64512;"], []),
    "bound without source": (
        {"source": None},
        {"bind_to_node": True},
        ["local 192.0.2.11 port 179 as 64512;", "strict bind on;"],
        [],
    ),
    "ports": (
        {"port": 1790},
        {"listen_port": 1791},
        ["local 192.0.2.11 port 1791 as 64512;", "neighbor 192.0.2.12 port 1790 as 64512;"],
        [],
    ),
    "ttl": ({"ttl_security": 3}, {}, ["multihop 3;", "ttl security on;"], ["multihop;"]),
    "ttl off": ({"ttl_security": 0}, {}, ["multihop;"], ["ttl security"]),
    "quick": ({"keepalive_time": 10}, {}, ["hold time 90;", "keepalive time 10;"], []),
    "slow": ({"keepalive_time": 100}, {}, ["hold time 300;", "keepalive time 100;"], []),
    "restart": ({"restart_time": 5000}, {}, ["graceful restart time 4095;"], []),
    "client": (
        {"rr_client": True},
        {"cluster_id": "224.0.0.1"},
        ["rr client;", "rr cluster id 224.0.0.1;"],
        [],
    ),
    "external peer of a reflector": ({"remote_as": 1}, {"cluster_id": "224.0.0.1"}, [], ["rr "]),
    "next hop": ({"next_hop": "keep"}, {}, ["next hop keep;"], ["next hop self"]),
    "external": (
        {"peer": None},
        {},
        ["import filter podnet_import_external4;", "export filter podnet_export4;"],
        [],
    ),
    "node": ({}, {}, ["import filter podnet_import_node4;"], []),
    "of a reflector": ({"reflects": True}, {}, ["import filter podnet_import_reflector4;"], []),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options_of_a_session(case: str) -> None:
    changes, whole, present, absent = OPTIONS[case]
    text = render(bgp(session(NEAR[4], **changes), **whole))
    lines = lines_of(text, "protocol bgp bgp_192_0_2_12 from podnet_session4")
    assert [line for line in present if line not in lines] == []
    assert [line for line in lines if line.startswith(tuple(absent))] == []


def test_why_a_session_is_there_changes_its_description_alone() -> None:
    one, other = (render(bgp(session(NEAR[4], kind=kind))).splitlines()[2:] for kind in ("mesh", "node"))
    changed = [pair for pair in zip(one, other) if pair[0] != pair[1]]
    assert changed == [('  description "mesh node2";', '  description "node node2";')]


def test_filters_of_nodes_cannot_accept_what_is_no_pool() -> None:
    rules = {"name": "all", "rules": {"importV4": [{"action": "Accept"}]}}
    text = render(bgp(session(NEAR[4], filters=("all",)), filters=(rules,)))
    lines = lines_of(text, "filter import_bgp_192_0_2_12")
    call = lines.index("'podnet_f_all_import4'(true);")
    assert lines[:call] == [
        "if net ~ OWN4 then reject;",
        "if net !~ POOLS4 then reject;",
        "if bgp_next_hop != from then reject;",
    ]


def test_export_is_in_calicos_order() -> None:
    lines = lines_of(render(TOPOLOGIES["external"], passwords=PASSWORDS), "filter export_bgp_192_0_2_1")
    assert lines == [
        "if source != RTS_BGP then bgp_local_pref = 2147482623;",
        "'podnet_f_router_export4'(false);",
        "podnet_advertise4();",
    ]
    advertise = lines_of(render(TOPOLOGIES["external"]), r"function podnet_advertise4\(\)")
    assert [re.sub(r".*then |;.*", "", line) for line in advertise] == [
        "reject",
        "{ bgp_community.add((64512, 100))",
        "accept",
        "reject",
    ]


@pytest.mark.parametrize(
    ("family", "block", "single"),
    [
        (family4, "10.244.9.0/26", False),
        (family4, "10.244.9.9/32", True),
        (family6, "fd00:10::/122", False),
        (family6, "fd00:10::9/128", True),
    ],
)
def test_a_block_of_one_address_is_announced_and_no_blackhole_in_the_kernel(
    family: t.Callable[..., t.Any], block: str, single: bool
) -> None:
    number, bits = (6, 128) if ":" in block else (4, 32)
    text = render(bgp(*mesh(number), families=[family(blocks=(block,))]))
    assert f"route {block} blackhole;" in text
    first = f'if proto = "podnet_blocks{number}" && net.len = {bits} then reject;'
    then = f'if proto = "podnet_blocks{number}" then accept;'
    assert (first in text) is single
    assert not single or text.index(first) < text.index(then)


def test_digest_tells_configurations_apart() -> None:
    one, other = (render(bgp(*mesh(), families=[family4(kind)])) for kind in ("IPIP", "VXLAN"))
    assert daemon.digest(one) != daemon.digest(other)
    assert daemon.digest(one) == daemon.digest(render(bgp(*mesh(), families=[family4("IPIP")])))
    assert daemon.digest("router id 1.2.3.4;") == ""
