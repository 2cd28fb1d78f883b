# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What plays decide by, of each node's plan: nothing in it grows with the number of nodes; pure."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.planner.build import cni_of, nat_of, probe_namespace
from ansible_collections.podnet.calico.plugins.module_utils.planner.mtu import pod_mtu
from ansible_collections.podnet.calico.plugins.module_utils.planner.transition import changes, common_mtu

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.planner.build import Ready
    from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Bgp
    from ansible_collections.podnet.calico.plugins.module_utils.planner.transition import ModeChange

Brief = t.Dict[str, t.Any]


def briefs(agreed: Ready, change: ModeChange | None = None) -> dict[str, Brief]:
    """Return by node name what plays decide by.

    bird: whether BIRD runs. secrets: "name/key" of the passwords that its sessions need. nft: whether packets are
    masqueraded or judged. blocks, cni: as in the plan. probe_pods: endpoints for calico_veth. transition: of a change
    of modes what is the same before and after a node has moved.
    """
    nft = agreed.guard or bool(nat_of(agreed.cluster).masquerade)
    return {name: _brief(agreed, change, name, nft) for name in agreed.hosts}


def _brief(agreed: Ready, change: ModeChange | None, name: str, nft: bool) -> Brief:
    cluster, host, bgp = agreed.cluster, agreed.hosts[name], agreed.bgps.get(name)
    own = cluster.owned(name)
    cni = cni_of(cluster, own, cluster.nodes[name], pod_mtu(cluster, host))
    mtu = cni.mtu if change is None else common_mtu(change, host)
    found = {
        "node": name,
        "bird": bgp is not None,
        "secrets": _secrets(bgp),
        "nft": nft,
        "blocks": [str(block.cidr) for block in own],
        "cni": {"ranges": list(cni.ranges), "mtu": cni.mtu, "excluded": list(cni.excluded)},
        "probe_pods": [
            {"name": probe_namespace(pool), "addresses": [str(address)], "mtu": mtu}
            for pool, address in cluster.probes.get(name, ())
        ],
    }
    if change is None:
        return found
    return {**found, "transition": {"changes": list(changes(change)), "bird_first": change.bird_first, "mtu": mtu}}


def _secrets(bgp: Bgp | None) -> list[str]:
    named = {session.password for session in bgp.sessions if session.password} if bgp else ()
    return sorted({f"{each.name}/{each.key}" for each in named})
