# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets lost from pod to pod, 100 a second for each pair, while BGP changes; each by what the collection does."""

from __future__ import annotations

import contextlib
import json
import time
import typing as t
from pathlib import Path

from ansible_collections.podnet.calico.tests.benchmarks import bgp_clusters
from ansible_collections.podnet.calico.tests.benchmarks.bgp_farm import UNDERLAY, WIRE, Birds
from ansible_collections.podnet.calico.tests.benchmarks.bgp_pings import Count
from ansible_collections.podnet.calico.tests.benchmarks.bgp_site import Plans, Site
from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, MeasuringFailed
from ansible_collections.podnet.calico.tests.benchmarks.scene import expect, ip
from ansible_collections.podnet.calico.tests.tools import bird_versions

ROUTER = UNDERLAY[-2]
BIRD3 = "3.1"
_OPEN = "open0"  # where the default route of nodes leads
_AGAIN = 2.5  # seconds after which BIRD must have put routes through a device back: its scan takes 2
_TOLD = 3  # pairs with losses that are named
_ROUTER_CONFIG = f"""router id {ROUTER};
protocol device {{ }}
protocol bgp nodes {{
  local {ROUTER} as 65000; neighbor range {UNDERLAY} as 64512; multihop; passive on;
  ipv4 {{ import all; export none; }};
}}
"""


def of_counts(bench: Bench, what: str, counts: t.Sequence[Count]) -> Sample:
    """Return the packets lost in all runs together, with the smallest and largest of single runs.

    Raises MeasuringFailed if there were hardly any to be lost.
    """
    sent, lost = sum(count.sent for count in counts), sum(count.lost for count in counts)
    if sent < 1000:
        raise MeasuringFailed(f"{what}: only {sent} packets were sent")
    bench.note(f"{what}: {lost} of {sent} packets lost in {len(counts)} runs")
    words = [words for count in counts for words in count.pairs]
    for line in words[:_TOLD] + ([f"and {len(words) - _TOLD} more"] if len(words) > _TOLD else []):
        bench.note(f"  {line}")
    each = [count.lost for count in counts]
    return Sample(lost, (min(each), max(each)), len(counts), "packets")


def peer_added(bench: Bench) -> dict[str, Sample]:
    """Give three nodes in a mesh one more peer, a router outside, by one call of calico_bird on each."""
    with Site(bench, 3) as site, _router(bench.scratch):
        before = site.plans(bgp_clusters.mesh(site.nodes))
        after = site.plans(bgp_clusters.mesh(site.nodes, [bgp_clusters.router(str(ROUTER))]))
        site.set_up(before)

        def change() -> None:
            site.configure(after)
            site.gate(after)

        counts = []
        for __ in range(bench.runs):
            counts.append(site.lost(change))
            site.configure(before)
    return {"bgp.lost_peer_added": of_counts(bench, "a peer added", counts)}


def _router(scratch: Path) -> Birds:
    """Return a router outside on the wire itself."""
    ip("-n", WIRE, "addr", "add", f"{ROUTER}/{UNDERLAY.prefixlen}", "dev", "br0")
    return Birds(scratch / "router", {WIRE: _ROUTER_CONFIG})


def reflectors(bench: Bench) -> dict[str, Sample]:
    """Change four nodes from a mesh to two reflectors and back, with routes that stand by; and once without these."""
    with Site(bench, 4) as site:
        mesh, reflected = (site.plans(make(site.nodes)) for make in (bgp_clusters.mesh, bgp_clusters.reflected))
        site.set_up(mesh)
        there, back = [], []
        for __ in range(bench.runs):
            there.append(site.lost(lambda: _changed(site, reflected)))
            back.append(site.lost(lambda: _changed(site, mesh)))
        bare = [site.lost(lambda: _configured(site, reflected))]
    return {
        "bgp.lost_mesh_to_rr": of_counts(bench, "mesh to reflectors", there),
        "bgp.lost_rr_to_mesh": of_counts(bench, "reflectors to mesh", back),
        "bgp.lost_mesh_to_rr_no_standby": of_counts(bench, "mesh to reflectors, nothing standing by", bare),
    }


def _changed(site: Site, plans: Plans) -> None:
    """Do what the playbook podnet.calico.change_bgp does."""
    site.routes(plans, standby=True)
    _configured(site, plans)
    site.routes(plans, standby=False)


def _configured(site: Site, plans: Plans) -> None:
    site.configure(plans)
    site.gate(plans)


def restarted(bench: Bench) -> dict[str, Sample]:
    """Restart BIRD on one of three nodes in a mesh by our unit; and once as Debian's own unit does it."""
    with Site(bench, 3) as site:
        plans = site.plans(bgp_clusters.mesh(site.nodes))
        site.set_up(plans)
        first = next(iter(site.hosts.values()))

        def ours() -> None:
            first.stop()
            first.start()
            site.gate(plans)

        def plain() -> None:
            first.terminate()
            first.start_afresh()
            site.gate(plans)

        counts = [site.lost(ours) for __ in range(bench.runs)]
        bare = [site.lost(plain)]
    return {
        "bgp.lost_restart": of_counts(bench, "BIRD restarted", counts),
        "bgp.lost_restart_plain": of_counts(bench, "BIRD restarted by Debian's own unit", bare),
    }


def restarted_bird3(bench: Bench) -> dict[str, Sample]:
    """Restart BIRD 3 on one of three nodes in a mesh by our unit."""
    with contextlib.suppress(bird_versions.Unavailable), Site(bench, 3, BIRD3) as site:
        plans = site.plans(bgp_clusters.mesh(site.nodes))
        site.set_up(plans)
        first = next(iter(site.hosts.values()))

        def change() -> None:
            first.stop()
            first.start()
            site.gate(plans)

        counts = [site.lost(change) for __ in range(bench.runs)]
        return {"bgp.lost_restart_bird3": of_counts(bench, "BIRD 3 restarted", counts)}
    return _without_bird3(bench)


def tunnel_flaps_bird3(bench: Bench) -> dict[str, Sample]:
    """Take tunl0 of one of three nodes with BIRD 3 down for a second, after a configure.

    Another device on the wire stands in for tunl0, since kernels without ipip shall measure it, too.
    """
    with contextlib.suppress(bird_versions.Unavailable), Site(bench, 3, BIRD3) as site:
        for index, name in enumerate(site.nodes):
            ip("-n", WIRE, "link", "add", f"tunnel{index}", "type", "veth", "peer", "name", "tunl0", "netns", name)
            ip("-n", WIRE, "link", "set", f"tunnel{index}", "master", "br0", "up")
            lines = (
                "link set tunl0 addrgenmode none up",
                f"link add {_OPEN} type veth peer name away",
                "link set away addrgenmode none up",
                f"link set {_OPEN} addrgenmode none arp off up",
                f"route add default dev {_OPEN}",
            )
            ip("-n", name, "-batch", "-", lines="\n".join(lines))
        site.set_up(site.plans(bgp_clusters.mesh(site.nodes, ipip="Always")))
        first = next(iter(site.hosts.values()))
        before = _sent_in_the_open(site)

        def change() -> float:
            first.run(["birdc", "configure"])
            ip("-n", first.name, "link", "set", "tunl0", "down")
            time.sleep(1)
            ip("-n", first.name, "link", "set", "tunl0", "up")
            again = time.monotonic() + _AGAIN
            time.sleep(_AGAIN)
            return again

        counts = [site.lost(change) for __ in range(bench.runs)]
        leaked = _sent_in_the_open(site) - before
        bench.note(f"{leaked} packets left by the default route")
        return {
            "bgp.lost_tunnel_flap_bird3": of_counts(bench, f"{_AGAIN:g} s after tunl0 was up again, BIRD 3", counts),
            "bgp.open_tunnel_flap_bird3": Sample(leaked, (leaked, leaked), bench.runs, "packets"),
        }
    return _without_bird3(bench)


def _without_bird3(bench: Bench) -> dict[str, Sample]:
    bench.note(f"left out: BIRD {BIRD3} is not here, tests/tools/bird_versions.py fetches it")
    return {}


def _sent_in_the_open(site: Site) -> int:
    """Return how many packets have left by the default routes of all nodes together."""
    shown = [json.loads(ip("-n", name, "-s", "-j", "link", "show", "dev", _OPEN)) for name in site.nodes]
    return sum(link["stats64"]["tx"]["packets"] for (link,) in shown)


def node_added(bench: Bench) -> dict[str, Sample]:
    """Add a fourth node to two reflectors and a client; what the others lose among each other."""
    with Site(bench, 4) as site:
        *others, last = site.nodes
        whole = site.plans(bgp_clusters.reflected(site.nodes))
        few = site.plans(bgp_clusters.reflected({name: site.nodes[name] for name in others}), others)
        expect({name: whole[name]["blocks"] for name in others}, {n: few[n]["blocks"] for n in others}, "blocks kept")
        site.set_up(few)

        def change() -> None:
            site.configure({last: whole[last]})
            site.hosts[last].start()
            results = site.configure({name: whole[name] for name in others})
            expect([result["changed"] for result in results.values()], [True, True, False], "nodes that change")
            site.gate(whole)

        counts = []
        for __ in range(bench.runs):
            counts.append(site.lost(change, others))
            site.configure(few)
            site.hosts[last].terminate()
    return {"bgp.lost_node_added": of_counts(bench, "a node added", counts)}
