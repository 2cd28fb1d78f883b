# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small cluster with pods: planned from documents, applied by the collection's modules as its roles do."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import itertools
import time
import typing as t

from ansible_collections.podnet.calico.tests.benchmarks import bgp_engine, engine
from ansible_collections.podnet.calico.tests.benchmarks.bgp_farm import Farm
from ansible_collections.podnet.calico.tests.benchmarks.bgp_hosts import PATIENCE, Host, Result, everywhere
from ansible_collections.podnet.calico.tests.benchmarks.bgp_pings import Count, Pair, Pings
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, forked
from ansible_collections.podnet.calico.tests.benchmarks.scene import NETNS, PREFIX
from ansible_collections.podnet.calico.tests.tools import bird_versions

if t.TYPE_CHECKING:  # pragma: no cover
    from types import TracebackType

SETTLING = 2.0  # seconds of pings before a change, and after all that belongs to it has come to pass

Document = bgp_engine.Document
Plans = t.Dict[str, bgp_engine.Plan]


class Site:
    """Nodes with a pod each; the daemons are not started yet. Leaving it removes all of it.

    release: of BIRD, as tests/tools/bird_versions.py has them; raises its Unavailable.
    """

    def __init__(self, bench: Bench, number: int, release: str = bird_versions.INSTALLED) -> None:
        self._programs = bird_versions.programs(release)
        self._farm = Farm(number)
        self.nodes = self._farm.nodes
        self._directory = bench.scratch
        self._left = contextlib.ExitStack()
        self.hosts: dict[str, Host] = {}
        self._pods: dict[str, str] = {}

    def __enter__(self) -> Site:
        self._left.enter_context(self._farm)
        self._farm.connect(len(self.nodes))
        self.hosts = {
            name: self._left.enter_context(Host(name, self._directory, self._programs)) for name in self.nodes
        }
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.close()

    def plans(self, documents: t.Iterable[Document], names: t.Iterable[str] | None = None) -> Plans:
        """Return the plans of the named nodes (default: all) with routes that stand by; blocks are always the same."""
        nodes = {name: self.nodes[name] for name in names or self.nodes}
        return bgp_engine.plans(bgp_engine.stored(documents, nodes), nodes, standby=True)

    def set_up(self, plans: Plans) -> None:
        """Make pods and what they need, put configurations in place, start BIRDs, and wait for sessions and routes."""
        for name, plan in plans.items():
            block = ipaddress.ip_network(plan["blocks"][0])
            self._pods[name] = str(block[5])
            pod = {"name": f"bench.{name}", "netns": _pod_netns(name), "addresses": [str(block[5])], "mtu": 1500}
            path = str(NETNS / name)
            forked(functools.partial(engine.make_endpoints, [pod]), netns=path)
        self.routes(plans, standby=False)
        self.configure(plans)
        for name in plans:
            self.hosts[name].start()
        self.gate(plans)

    def configure(self, plans: Plans) -> dict[str, Result]:
        """Put BIRD's configuration in place on all nodes of the plans at once."""
        return everywhere(
            self.hosts.values(), "calico_bird", {name: {"bgp": plan["bgp"]} for name, plan in plans.items()}
        )

    def routes(self, plans: Plans, *, standby: bool) -> None:
        """Have the routes of ours that plans hold, with those that stand by or without, as the role dataplane does."""
        more = ["standby"] if standby else []
        params = {
            name: {"routes": [route for part in ("routes", *more) for route in plan[part]], "exclusive": not standby}
            for name, plan in plans.items()
        }
        everywhere(self.hosts.values(), "calico_route", params)

    def gate(self, plans: Plans) -> None:
        """Wait until on all nodes all sessions are established and all blocks' routes are in the kernel."""
        blocks = [block for plan in plans.values() for block in plan["blocks"]]
        params = {
            name: {"sessions": [one["name"] for one in plan["bgp"]["sessions"]], "routes": blocks, "wait": PATIENCE}
            for name, plan in plans.items()
        }
        everywhere(self.hosts.values(), "calico_bird_info", params)
        for name in plans:
            self.hosts[name].wait_recovered()

    def lost(self, change: t.Callable[[], float | None], names: t.Iterable[str] | None = None) -> Count:
        """Return what is lost between the pods of the named nodes (default: all) during a change.

        The change may return since when it counts (time.monotonic).
        """
        pairs = [Pair(_pod_netns(a), self._pods[b]) for a, b in itertools.permutations(names or self._pods, 2)]
        with Pings(pairs) as pings:
            time.sleep(SETTLING)
            since = change()
            time.sleep(SETTLING)
            return pings.stop(since)


def _pod_netns(node: str) -> str:
    return f"{PREFIX}pod-{node.replace(PREFIX, '')}"
