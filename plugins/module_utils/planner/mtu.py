# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large packets may be: of pods and of tunnels, in bytes."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import OVERHEAD

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Cluster
    from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Host


def pod_mtu(cluster: Cluster, host: Host) -> int:
    """Return the MTU of pods: what is asked for, or all that fits."""
    return host.pod_mtu or largest_pod_mtu(cluster, host)


def largest_pod_mtu(cluster: Cluster, host: Host) -> int:
    """Return the underlay's MTU less the largest overhead of the encapsulations in use (Calico)."""
    return host.mtu - max((OVERHEAD[key] for key in used(cluster)), default=0)


def tunnel_mtu(host: Host, kind: str, version: int) -> int:
    """Return the MTU of a tunnel: what fits, but no more than is asked for the pods, as Calico's operator sets it."""
    fitting = host.mtu - OVERHEAD[kind, version]
    return min(fitting, host.pod_mtu or fitting)


def used(cluster: Cluster) -> list[tuple[str, int]]:
    """Return kind and IP version of the encapsulations of all pools; the pods of disabled ones are still there."""
    modes = [("ipip", pool.ipip_mode, pool) for pool in cluster.pools]
    modes += [("vxlan", pool.vxlan_mode, pool) for pool in cluster.pools]
    return sorted({(kind, pool.cidr.version) for kind, mode, pool in modes if mode != "Never"})
