# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large packets may be: of pods and of tunnels, in bytes, and what is too large or too small to work."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import OVERHEAD
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.ip import IPV6_MTU
from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_scene import listed

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Cluster
    from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Host

# The least that every link has to bear, and what every host takes (RFC 791, section 3.1).
SMALLEST = {4: 576, 6: IPV6_MTU}


def pod_mtu(cluster: Cluster, host: Host) -> int:
    """Return the MTU of pods: what is asked for, or all that fits."""
    return host.pod_mtu or largest_pod_mtu(cluster, host)


def largest_pod_mtu(cluster: Cluster, host: Host) -> int:
    """Return the underlay's MTU less the largest overhead of the encapsulations in use (Calico)."""
    return host.mtu - max((OVERHEAD[key] for key in _used(cluster)), default=0)


def tunnel_mtu(host: Host, kind: str, version: int) -> int:
    """Return the MTU of a tunnel: what fits, but no more than is asked for the pods, as Calico's operator sets it."""
    fitting = host.mtu - OVERHEAD[kind, version]
    return min(fitting, host.pod_mtu or fitting)


def _used(cluster: Cluster) -> list[tuple[str, int]]:
    """Return kind and IP version of the encapsulations of all pools; the pods of disabled ones are still there."""
    modes = [("ipip", pool.ipip_mode, pool) for pool in cluster.pools]
    modes += [("vxlan", pool.vxlan_mode, pool) for pool in cluster.pools]
    return sorted({(kind, pool.cidr.version) for kind, mode, pool in modes if mode != "Never"})


def mtu_problems(cluster: Cluster, hosts: t.Mapping[str, Host]) -> t.Iterator[InvalidInput]:
    """Yield the hosts whose pods' MTU does not fit through the underlay, or is smaller than IP allows."""
    least = max((SMALLEST[version] for version in cluster.pool_versions), default=0)
    for name, host in sorted(hosts.items()):
        largest, mtu = largest_pod_mtu(cluster, host), pod_mtu(cluster, host)
        if mtu > largest:
            yield InvalidInput(
                f'plan node "{name}": calico_mtu is {mtu}, but {host.device} carries {host.mtu} bytes, of which '
                f"{', '.join(kind for kind, __ in _used(cluster)) or 'no encapsulation'} leaves {largest} to pods",
                remedy=f"Set it to {largest} or less, raise the MTU of {host.device}, or leave calico_mtu out",
                rule="mtu-too-large",
                nodes=[name],
            )
        elif mtu < least:
            version = max(cluster.pool_versions)
            source = "calico_mtu is" if host.pod_mtu else f"{host.device} carries {host.mtu} bytes, and pods would get"
            yield InvalidInput(
                f'plan node "{name}": {source} {mtu}, but IPv{version} needs an MTU of {least}',
                remedy=f"Set calico_mtu to {least} or more" if host.pod_mtu else f"Raise the MTU of {host.device}",
                rule="mtu-too-small",
                nodes=[name],
            )
    yield from _different(cluster, hosts)


def _different(cluster: Cluster, hosts: t.Mapping[str, Host]) -> t.Iterator[InvalidInput]:
    """Yield that pods of hosts would have different MTUs: large packets between them are lost at first."""
    found: dict[int, list[str]] = {}
    for name, host in sorted(hosts.items()):
        found.setdefault(pod_mtu(cluster, host), []).append(name)
    if len(found) > 1:
        smallest = min(largest_pod_mtu(cluster, host) for host in hosts.values())
        most = max(found.values(), key=len)
        sizes = "; ".join(f"{mtu} on {listed(names)}" for mtu, names in sorted(found.items()))
        yield InvalidInput(
            f"plan the pod network: pods would get different MTUs: {sizes}",
            remedy=f"Set calico_mtu to {smallest} or less for all hosts, or give their devices one MTU",
            rule="mtu-differs",
            nodes=sorted(set(hosts) - set(most)),
        )
