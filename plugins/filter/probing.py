# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a probe that need computing, as filters: the logic itself is in module_utils."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.calico.plugins.module_utils.errors import PodnetError
from ansible_collections.podnet.calico.plugins.module_utils.resources.inventory import pools_of
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_verdict import judge
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_wire import Wire

HostVars = t.Mapping[str, t.Mapping[str, t.Any]]
Pools = t.Sequence[t.Dict[str, t.Any]]

# Where there is no pool yet: an address for documentation (RFC 5737), which no node of a cluster has.
_NO_POOL = "203.0.113.1"


def _read(pools: Pools) -> list[IPPool]:
    try:
        return pools_of(pools)
    except PodnetError as error:
        raise AnsibleFilterError(str(error)) from error


def probe_source(pools: Pools) -> str:
    """Return an IPv4 address as of a pod: the first of the first IPv4 pool."""
    found = (pool.cidr.network_address for pool in _read(pools) if pool.cidr.version == 4)
    return str(next(found, ipaddress.ip_address(_NO_POOL)))


def probe_payload(pools: Pools) -> bool:
    """Tell whether an IPv4 pool wants VXLAN."""
    return any(pool.cidr.version == 4 and pool.encapsulation.startswith("VXLAN") for pool in _read(pools))


def probe_nodes(hostvars: HostVars, hosts: t.Sequence[str], own: str) -> list[dict[str, str]]:
    """Return name and address of the hosts that listen, but one."""
    places = {host: _place(hostvars[host]) for host in hosts if host != own}
    return [{"name": host, "address": place.partition("/")[0]} for host, place in places.items() if place]


def _place(variables: t.Mapping[str, t.Any]) -> str:
    """Return the address of a host, with prefix length, empty where it does not listen."""
    return str((variables.get("probe_listening") or {}).get("node", {}).get("address", ""))


def _is_seen(variables: t.Mapping[str, t.Any]) -> bool:
    """Tell whether all three calls of a probe have their result."""
    asked, arrived = variables.get("probe_asked") or {}, variables.get("probe_arrived") or {}
    return bool(_place(variables)) and "results" in asked and "arrivals" in arrived


def probe_verdict(
    hostvars: HostVars, hosts: t.Sequence[str], pools: Pools, mtu: int = 0, bgp: str = "auto"
) -> dict[str, t.Any]:
    """Return the verdict of probe_verdict.judge. mtu: what pods get, in bytes, 0 for what the interfaces leave them."""
    seen = [host for host in hosts if _is_seen(hostvars[host])]
    wire = Wire(
        {host: _place(hostvars[host]) for host in seen},
        {host: [row for row in hostvars[host]["probe_asked"]["results"] if row["target"] in seen] for host in seen},
        {host: hostvars[host]["probe_arrived"]["arrivals"] for host in seen},
        {host: hostvars[host]["probe_listening"] for host in seen},
    )
    modes = sorted({pool.encapsulation for pool in _read(pools) if pool.cidr.version == 4})
    return judge(wire, modes, int(mtu), bgp=bgp, unseen=[host for host in hosts if host not in seen])


class FilterModule:
    """Provides the filters of podnet.calico for probes."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {
            "probe_nodes": probe_nodes,
            "probe_payload": probe_payload,
            "probe_source": probe_source,
            "probe_verdict": probe_verdict,
        }
