# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real BIRDs in namespaces, each with its own /etc/bird and /run/bird, driven by calico_bird and calico_bird_info."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.calico.tests.kernel.birds import (
    CONFIG,
    NODES,
    SESSION2,
    Birds,
    block,
    changed,
    planned,
    seconds,
    start_mesh,
)
from ansible_collections.podnet.calico.tests.kernel.net import Result
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for
from ansible_collections.podnet.calico.tests.unit.planner.clusters import cluster, plans, pool

pytest_plugins = ["ansible_collections.podnet.calico.tests.kernel.bird_fixtures"]


def test_routes_arrive_in_both_kernels(birds: Birds) -> None:
    plan = planned()
    start_mesh(birds, plan)
    for bird, own, other, gateway in ((birds[0], *plan, "192.0.2.12"), (birds[1], *reversed(plan), "192.0.2.11")):
        theirs, mine = block(plan[other]), block(plan[own])
        wait_for(lambda bird=bird, theirs=theirs: theirs in bird.kernel_routes())
        route = bird.kernel_routes()[theirs]
        assert (route["gateway"], route["dev"]) == (gateway, "eth0")
        assert bird.kernel_routes()[mine]["type"] == "blackhole"


def test_routes_of_vxlan_pools_are_not_given_to_the_kernel(birds: Birds) -> None:
    plan = planned("VXLAN")
    start_mesh(birds, plan)
    theirs = block(plan["node2"])
    wait_for(lambda: theirs in birds[0].ask("show route"))
    assert theirs not in birds[0].kernel_routes()


HOSTILE = """router id 192.0.2.13;
protocol device {}
protocol static evil { ipv4; %s }
protocol bgp victim { local 192.0.2.13 as 64512; neighbor 192.0.2.11 as 64512; connect delay time 1;
  ipv4 { import all; export where proto = "evil"; }; }
"""


def test_lies_of_a_peer_never_reach_the_kernel(birds: Birds) -> None:
    nodes = {"node1": "192.0.2.11/24", "node3": "192.0.2.13/24"}
    plan = planned(nodes=nodes)
    own, honest = (block(plan[name]) for name in nodes)
    hijack = own.replace("/26", "/28")
    lies = ["203.0.113.0/24", "0.0.0.0/0", "192.0.2.0/28", hijack, own, "10.244.0.0/16"]
    routes = " ".join(f"route {prefix} unreachable;" for prefix in [*lies, honest])
    victim, _, liar = birds
    victim.module("calico_bird", plan["node1"])
    victim.start()
    liar.config.write_text(HOSTILE % routes)
    liar.start()
    wait_for(lambda: honest in victim.kernel_routes())
    assert set(victim.kernel_routes()) == {own, honest}
    assert victim.kernel_routes()[own]["type"] == "blackhole"


def test_a_broken_text_is_refused_and_nothing_changes(birds: Birds) -> None:
    plan = planned()
    first = birds[0]
    first.module("calico_bird", plan["node1"])
    first.start()
    before, digest = first.config.read_text(), first.digest()
    broken = changed(plan["node1"], lambda bgp: bgp.update(router_id="nonsense"))
    for check in (True, False):
        failed = first.module("calico_bird", broken, check=check)
        assert failed["failure"]["kind"] == "DaemonError"
        assert "podnet-calico.conf:4:" in failed["msg"]
        assert (first.config.read_text(), first.digest(), first.files()) == (before, digest, [CONFIG])


def test_a_bird_that_serves_somebody_else_is_refused(birds: Birds) -> None:
    foreign = birds[2]
    foreign.config.write_text(HOSTILE % "")
    foreign.start()
    foreign.config.unlink()
    failed = foreign.module("calico_bird", planned()["node1"])
    assert failed["failure"]["kind"] == "Conflict"
    assert "the running BIRD has sessions that are not ours (victim)" in failed["msg"]
    assert foreign.files() == []


def test_a_bird_that_serves_nobody_is_taken_over(birds: Birds) -> None:
    first = birds[0]
    first.config.write_text("router id 192.0.2.11; protocol device {}")
    first.start()
    first.config.unlink()
    done = first.apply(planned()["node1"])
    assert (done["running"], done["sessions_added"], done["sessions_reset"]) == (True, [SESSION2], [])
    assert SESSION2 in first.since()
    assert first.files() == [CONFIG]


POD_NETWORK6 = {
    "version": 6,
    "address": "2001:db8::11",
    "subnet": "2001:db8::/64",
    "pools": [{"cidr": "fd00:10::/48", "block_size": 122, "tunnel": "", "cross_subnet": False, "exported": True}],
    "blocks": ["fd00:10::/122"],
    "services": [],
    "reflected_services": [],
    "advertisements": [],
    "priority": 1024,
}


def dual_stack() -> dict[str, Result]:
    plan = planned()
    plan["node1"] = changed(plan["node1"], lambda bgp: bgp["families"].append(POD_NETWORK6))
    return plan


def all_routes(birds: Birds) -> int:
    return sum(len(birds[0].kernel_routes(version)) for version in (4, 6))


def test_absent_withdraws_the_routes_of_both_ip_versions(birds: Birds) -> None:
    start_mesh(birds, dual_stack())
    first = birds[0]
    wait_for(lambda: all_routes(birds) == 3)
    done = first.apply({"state": "absent"})
    assert done["sessions_removed"] == [SESSION2]
    assert "fd00:10::/122" in done["prefixes_withdrawn"]
    assert (all_routes(birds), first.files()) == (0, [])
    assert first.module("calico_bird", {"state": "absent"})["changed"] is False


def test_absent_deletes_what_a_stopped_bird_left(birds: Birds) -> None:
    start_mesh(birds, dual_stack())
    first = birds[0]
    wait_for(lambda: all_routes(birds) == 3)
    first.host.ip("route add 203.0.113.0/24 via 192.0.2.13 proto bird")
    first.host.ip("route add 2001:db8:1::/64 via 2001:db8::13 proto bird")
    first.kill()
    assert all_routes(birds) == 5
    first.apply({"state": "absent"})
    assert [*first.kernel_routes(), *first.kernel_routes(6)] == ["203.0.113.0/24", "2001:db8:1::/64"]


def test_a_session_that_does_not_come_up_is_named(birds: Birds) -> None:
    first = birds[0]
    first.module("calico_bird", planned()["node1"])
    first.start()
    failed = first.module("calico_bird_info", {"sessions": [SESSION2], "routes": ["10.0.0.0/8"], "wait": 0.5})
    assert f"1 of 1 are not established: {SESSION2} (" in failed["msg"]
    assert "1 of 1 routes are not in the kernel: 10.0.0.0/8" in failed["msg"]


def test_sessions_and_routes_as_data(birds: Birds) -> None:
    plan = planned()
    start_mesh(birds, plan)
    first, theirs = birds[0], block(plan["node2"])
    found = first.module("calico_bird_info", {"routes": [theirs, block(plan["node1"])], "wait": 20})
    session = found["sessions"][SESSION2]
    assert (session["address"], session["remote_as"], session["local_as"]) == ("192.0.2.12", 64512, 64512)
    assert [session[count] for count in ("imported", "filtered", "exported", "preferred")] == [1, 0, 1, 1]
    assert seconds(session["since"]) == pytest.approx(first.since()[SESSION2], abs=0.05)
    assert found["routes"] == {"ipv4": 1, "ipv6": 0}
    assert found["version"] in first.ask("show status")
    failed = first.module("calico_bird_info", {"routes": [theirs, "10.1.2.0/26"], "wait": 0.5})
    assert "1 of 2 are not in the kernel: 10.1.2.0/26." in failed["msg"]
    birds[1].stop()
    wait_for(lambda: not first.established(SESSION2))
    found = first.module("calico_bird_info", {})
    gone = found["sessions"][SESSION2]
    assert gone["info"] != "Established"
    assert f": 1 of 1 BGP sessions are not established: {SESSION2} (" in str(found["warnings"])
    assert gone["last_error"] == "Received: Administrative shutdown"


def test_a_limit_of_routes_that_was_reached_is_told(birds: Birds) -> None:
    first, plan = birds[0], planned()
    more = changed(plan["node2"], lambda bgp: bgp["families"][0]["blocks"].append("10.244.255.0/26"))
    start_mesh(birds, plan)
    assert first.module("calico_bird_info", {})["sessions"][SESSION2]["limits_hit"] == []
    first.go_back(first.config.read_text().replace("receive limit 1000000", "receive limit 1"))
    birds[1].apply(more)
    wait_for(lambda: "[HIT]" in first.ask(f"show protocols all {SESSION2}"))
    found = first.module("calico_bird_info", {})
    assert found["sessions"][SESSION2]["limits_hit"] == ["receive limit 1"]
    assert f": BGP sessions have reached a limit and refuse routes: {SESSION2} (receive limit 1)" in str(
        found["warnings"]
    )


def test_an_audit_names_a_route_of_others_that_keeps_one_of_bird_out(birds: Birds) -> None:
    """BIRD 2 yields to it for good; the plan does not know of the route, so that BIRD has to tell."""
    first, plan = birds[0], planned()
    theirs = block(plan["node2"])
    first.host.ip(f"route add {theirs} via 192.0.2.13 metric 32 proto static")
    start_mesh(birds, plan)
    whole = plans(cluster(pool(encapsulation="None"), nodes=NODES), NODES, bgp="enabled")["node1"]
    found = first.module("calico_audit", {"plan": whole})["findings"]
    [clash] = [each for each in found if each["name"].startswith(theirs)]
    assert (clash["category"], clash["actual"]) == ("foreign", "via 192.0.2.13 dev eth0 proto static")
    assert "BIRD has a route there with the same metric (32)" in clash["why"]
    first.host.ip(f"route del {theirs} metric 32")
    wait_for(lambda: theirs in first.kernel_routes())
    assert first.module("calico_audit", {"plan": whole})["counts"]["foreign"] == 0


def test_without_a_bird_there_is_nothing_to_tell(birds: Birds) -> None:
    found = birds[0].module("calico_bird_info", {})
    assert (found["version"], found["sessions"], found["routes"]) == ("", {}, {"ipv4": 0, "ipv6": 0})
