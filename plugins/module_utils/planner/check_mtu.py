# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MTUs that are too large or too small to work, or not the same on all nodes."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.ip import IPV6_MTU
from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_scene import listed
from ansible_collections.podnet.calico.plugins.module_utils.planner.mtu import largest_pod_mtu, pod_mtu, used

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Cluster
    from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Host

# The least that every link has to bear, and what every host takes (RFC 791, section 3.1).
SMALLEST = {4: 576, 6: IPV6_MTU}


def mtu_problems(cluster: Cluster, hosts: t.Mapping[str, Host]) -> t.Iterator[InvalidInput]:
    """Yield the hosts whose pods' MTU does not fit through the underlay, or is smaller than IP allows."""
    least = max((SMALLEST[version] for version in cluster.pool_versions), default=0)
    for name, host in sorted(hosts.items()):
        largest, mtu = largest_pod_mtu(cluster, host), pod_mtu(cluster, host)
        if mtu > largest:
            yield InvalidInput(
                f'plan node "{name}": calico_mtu is {mtu}, but {host.device} carries {host.mtu} bytes, of which '
                f"{', '.join(kind for kind, __ in used(cluster)) or 'no encapsulation'} leaves {largest} to pods",
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
