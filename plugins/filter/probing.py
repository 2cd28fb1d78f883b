# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a probe that need computing, as filters: the logic itself is in module_utils."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.calico.plugins.module_utils.errors import PodnetError
from ansible_collections.podnet.calico.plugins.module_utils.resources import options
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool
from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_verdict import Wire, judge

HostVars = t.Mapping[str, t.Mapping[str, t.Any]]
Pools = t.Sequence[t.Dict[str, t.Any]]

# Where there is no pool yet: an address for documentation (RFC 5737), which no node of a cluster has.
_NO_POOL = "203.0.113.1"


def _read(pools: Pools) -> list[IPPool]:
    try:
        return [IPPool.from_document(options.ippool(dict(pool))) for pool in pools]
    except PodnetError as error:
        raise AnsibleFilterError(str(error)) from error


def probe_source(pools: Pools) -> str:
    """Return an IPv4 address as of a pod: the first of the first IPv4 pool."""
    found = (pool.cidr.network_address for pool in _read(pools) if pool.cidr.version == 4)
    return str(next(found, ipaddress.ip_address(_NO_POOL)))


def probe_nodes(hostvars: HostVars, hosts: t.Sequence[str], own: str) -> list[dict[str, str]]:
    """Return name and address of the hosts that listen, but one."""
    return [{"name": host, "address": _place(hostvars[host]).partition("/")[0]} for host in hosts if host != own]


def _place(variables: t.Mapping[str, t.Any]) -> str:
    return str(variables["probe_listening"]["node"]["address"])


def probe_verdict(hostvars: HostVars, hosts: t.Sequence[str], pools: Pools, mtu: int = 0) -> dict[str, t.Any]:
    """Return the verdict of probe_verdict.judge. mtu: what pods get, in bytes, 0 for what the interfaces leave them."""
    wire = Wire(
        {host: _place(hostvars[host]) for host in hosts},
        {host: hostvars[host]["probe_asked"]["results"] for host in hosts},
        {host: hostvars[host]["probe_arrived"]["arrivals"] for host in hosts},
    )
    return judge(wire, sorted({pool.encapsulation for pool in _read(pools) if pool.cidr.version == 4}), int(mtu))


class FilterModule:
    """Provides the filters of podnet.calico for probes."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"probe_nodes": probe_nodes, "probe_source": probe_source, "probe_verdict": probe_verdict}
