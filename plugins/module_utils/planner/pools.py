# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools as the planner needs them: in Calico's order, and for which nodes they are."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool
from ansible_collections.podnet.calico.plugins.module_utils.resources.selector import parse

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot


def pools_of(snapshot: Snapshot) -> list[IPPool]:
    """Return all pools in Calico's order, by name."""
    return [IPPool.from_document(document) for (kind, __), document in sorted(snapshot.items()) if kind == "IPPool"]


def pool_selects(pool: IPPool, labels: t.Mapping[str, str], *, disabled: bool = False) -> bool:
    """Tell whether a pool gives addresses to a node with labels by itself: enabled, automatic and selected by label.

    disabled: count a disabled pool, too.
    """
    selected = pool.assignment_mode == "Automatic" and parse(pool.node_selector).matches(labels)
    return selected and (disabled or not pool.disabled)
