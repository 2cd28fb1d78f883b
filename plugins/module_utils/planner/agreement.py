# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster agrees on in one step: its resources, the blocks and addresses of its nodes, and their plans; pure.

Whoever stores the agreement does it under the same lock, or with the revisions of what it was made from. So the plans
are made from the very claims that are stored.
"""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.datastore import contract
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam
from ansible_collections.podnet.calico.plugins.module_utils.planner.brief import briefs
from ansible_collections.podnet.calico.plugins.module_utils.planner.checked import ready
from ansible_collections.podnet.calico.plugins.module_utils.planner.handover import made, pack
from ansible_collections.podnet.calico.plugins.module_utils.planner.mode_change import change_of

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot
    from ansible_collections.podnet.calico.plugins.module_utils.planner.build import Ready
    from ansible_collections.podnet.calico.plugins.module_utils.planner.transition import ModeChange

OPTIONS = ("bgp", "standby", "secrets", "guard", "allow_cut_off")
"""Options of the planner, as checked.ready takes them."""


class Wish(t.NamedTuple):
    """What a run wants of a cluster.

    hosts: node name to what was seen there, as node_plan.Host describes it. resources: documents. pruned: see
    apply.put. options: OPTIONS. transition: whether plans say how to get there from the modes that are stored.
    """

    hosts: t.Mapping[str, t.Mapping[str, t.Any]]
    resources: t.Sequence[t.Mapping[str, t.Any]]
    pruned: str
    options: t.Mapping[str, t.Any]
    transition: bool = False


class Agreement(t.NamedTuple):
    """What is stored from now on, a cluster whose nodes can be planned, and how modes change if they do."""

    stored: Snapshot
    ready: Ready
    change: ModeChange | None

    def compact(self) -> dict[str, t.Any]:
        """Return plans (compact, by node name), and the table that completes each of them."""
        return {"plans": briefs(self.ready, self.change), "table": pack(self.ready, self.change)}

    def whole(self) -> dict[str, t.Any]:
        """Return the plans of the nodes, by name."""
        found = briefs(self.ready, self.change)
        return {"plans": {name: {**brief, **made(self.ready, self.change, name)} for name, brief in found.items()}}


def agree(before: Snapshot, wish: Wish, *, now: int) -> Agreement:
    """Return what a wish makes of what is stored; raises InvalidInput with all that cannot work.

    now: wall clock in nanoseconds since 1970, for the sequence numbers of new blocks.
    """
    wanted = put(before, wish.resources, pruned=wish.pruned)
    claimed = ipam.claim(wanted, wish.hosts, now=now, keep=wish.transition)
    agreed = ready(claimed, wish.hosts, **wish.options)
    return Agreement(claimed, agreed, change_of(before, claimed, agreed) if wish.transition else None)


def differences(before: Snapshot, after: Snapshot) -> list[Change]:
    """Return what an agreement changes, as a person sees it: documents, then blocks and addresses that are claimed."""
    documents = contract.differences(before, after)
    claims = ipam.differences(before, after)
    return [change for change in documents if change.kind not in ipam.RECORDS] + [
        change for change in claims if change.kind in ("address", "block")
    ]
