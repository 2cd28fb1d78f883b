# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What BGP's figures are made from: clusters, routes that a kernel tells of, pings and their count, BIRD's unit."""

from __future__ import annotations

import itertools
import socket
import struct
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.benchmarks import bgp_clusters, bgp_engine, bgp_farm, bgp_pings, bgp_watch
from ansible_collections.podnet.calico.tests.benchmarks.bgp_hosts import unit
from ansible_collections.podnet.calico.tests.benchmarks.bgp_loss import of_counts
from ansible_collections.podnet.calico.tests.benchmarks.bgp_pings import Count
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, MeasuringFailed


@pytest.mark.parametrize("number", [60, 100, 130])
def test_the_planner_finds_the_sessions_that_racks_are_counted_to_have(number: int) -> None:
    stored = bgp_engine.stored(bgp_clusters.racks(number), nodes=())
    assert bgp_engine.sessions(stored) == bgp_clusters.sessions_of_racks(number)


@pytest.mark.parametrize(("make", "sessions"), [(bgp_clusters.mesh, 6 * 5), (bgp_clusters.reflected, 2 * (2 * 4 + 1))])
def test_sessions_of_a_farm(make: bgp_clusters.Make, sessions: int) -> None:
    nodes = bgp_farm.addresses(6)
    assert bgp_engine.sessions(bgp_engine.stored(make(nodes), nodes)) == sessions


def test_a_block_stays_where_it_is_when_a_node_is_added_or_the_mesh_changes() -> None:
    nodes = bgp_farm.addresses(4)
    few = dict(list(nodes.items())[:3])
    clusters = [(make, names) for make in (bgp_clusters.mesh, bgp_clusters.reflected) for names in (nodes, few)]
    made = [bgp_engine.plans(bgp_engine.stored(make(names), names), names) for make, names in clusters]
    blocks = [{name: plan["blocks"] for name, plan in plans.items() if name in few} for plans in made]
    assert blocks == [blocks[0]] * 4
    assert len(list(itertools.chain(*blocks[0].values()))) == 3


def test_addresses_of_a_farm_are_distinct() -> None:
    assert len(set(bgp_farm.addresses(200).values())) == 200


def message(kind: int, protocol: int, address: str, length: int = 26) -> bytes:
    """Return a route as rtnetlink(7) tells of it, with the attributes RTA_TABLE and RTA_DST."""
    attributes = struct.pack("=HHI", 8, 15, 254) + struct.pack("=HH4s", 8, 1, socket.inet_aton(address))
    body = struct.pack("=8BI", socket.AF_INET, length, 0, 0, 254, protocol, 0, 1, 0) + attributes
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body


def test_only_routes_of_bird_count() -> None:
    first, second = (25, b"\x0a\xf4\x01\x00"), (26, b"\x0a\xf4\x02\x00")
    told = (
        message(bgp_watch.NEW, bgp_watch.BIRD, "10.244.1.0", 25)
        + message(bgp_watch.NEW, 98, "10.244.3.0")
        + message(16, bgp_watch.BIRD, "10.244.4.0")
        + message(bgp_watch.GONE, bgp_watch.BIRD, "10.244.2.0")
    )
    assert list(bgp_watch.told_of(told)) == [(bgp_watch.NEW, first), (bgp_watch.GONE, second)]


@pytest.mark.parametrize(("ident", "sequence"), [(1, 0), (12, 1000), (0xFFFF, 0xFFFF)])
def test_the_checksum_of_a_request_is_right(ident: int, sequence: int) -> None:
    total = sum(struct.unpack("!4H", bgp_pings.request(ident, sequence)))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF  # RFC 1071


@pytest.mark.parametrize(
    ("missing", "seconds"), [([7], 0.01), ([1, 3, 5], 0.01), ([1, 2, 3, 9, 10], 0.03), ([1, 5, 6], 0.02)]
)
def test_the_longest_gap(missing: list[int], seconds: float) -> None:
    assert bgp_pings.gap(missing) == pytest.approx(seconds)


def bench(scratch: Path) -> Bench:
    return Bench("a case", scratch, runs=2)


def test_losses_of_all_runs_are_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = [Count(900, 0, ()), Count(800, 5, ("a to b: 5, longest gap 0.05 s",)), Count(900, 2, ("c to d: 2",))]
    sample = of_counts(bench(tmp_path), "a change", counts)
    assert (sample.value, sample.spread, sample.runs, sample.unit) == (7, (0, 5), 3, "packets")
    assert "7 of 2600 packets lost in 3 runs" in capsys.readouterr().out


def test_what_was_hardly_pinged_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(MeasuringFailed, match="only 200 packets were sent"):
        of_counts(bench(tmp_path), "a change", [Count(100, 0, ()), Count(100, 0, ())])


def test_commands_are_those_of_the_drop_in() -> None:
    assert unit("ExecStop") == ["/usr/sbin/birdc", "graceful", "restart"]
    shell, option, script = unit("ExecStart")
    assert (shell, option) == ("/bin/sh", "-c")
    assert "&& R=-R;" in script
