# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is stored, and what was seen on hosts, to a cluster whose nodes can be planned, or to all that is wrong."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp import outlines_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.build import Ready, uses_bird
from ansible_collections.podnet.calico.plugins.module_utils.planner.check import refuse_unusable
from ansible_collections.podnet.calico.plugins.module_utils.planner.check_bgp import cut_off, session_problems
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Host
from ansible_collections.podnet.calico.plugins.module_utils.planner.pool_migration import orphan_problems
from ansible_collections.podnet.calico.plugins.module_utils.planner.snapshot import read

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot


def ready(
    snapshot: Snapshot,
    hosts: t.Mapping[str, t.Mapping[str, t.Any]],
    bgp: str,
    standby: bool = False,
    secrets: t.Collection[str] | None = None,
    guard: bool = True,
    allow_cut_off: t.Iterable[str] = (),
) -> Ready:
    """Return a cluster whose hosts can be planned; raises InvalidInput with all that cannot work.

    hosts: node name to address, device, mtu and encapsulations, as Host describes them. secrets: "name/key" of the
    passwords that there are, None if that is not to be checked. allow_cut_off: nodes that may lack BGP routes.
    """
    cluster = read(snapshot)
    seen = {name: Host.from_facts(host) for name, host in hosts.items()}
    bird = uses_bird(cluster, bgp)
    everyone = outlines_of(cluster) if bird else {}
    daemons = {name: everyone[name] for name in seen if name in everyone}
    problems = (
        *orphan_problems(snapshot),
        *session_problems(cluster, daemons, secrets),
        *cut_off(cluster, everyone, seen, allow_cut_off),
    )
    refuse_unusable(cluster, seen, bird, problems)
    return Ready(cluster, seen, bird, daemons, standby, guard)
