# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the inventory alone, in one place for planner, preflight, probe and cloud; pure."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import ways


def bird_routes(bgp: str, modes: t.Iterable[str], *, peers: bool = False) -> bool:
    """Tell whether BIRD runs.

    bgp: "enabled", "disabled", or "auto": when a pool's encapsulation is none of VXLAN's, or there is a BGPPeer.
    modes: the encapsulations of all pools, disabled ones included.
    """
    if bgp == "auto":
        return peers or any(ways(mode)[1] != "vxlan" for mode in modes)
    return bgp == "enabled"
