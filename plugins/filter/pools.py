# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a pool's migration that need computing, as filters: the logic itself is in module_utils."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.calico.plugins.module_utils.errors import PodnetError
from ansible_collections.podnet.calico.plugins.module_utils.planner.pool_migration import leaving, left_in

HostVars = t.Mapping[str, t.Mapping[str, t.Any]]
Documents = t.Sequence[t.Dict[str, t.Any]]


def pool_leaving(stored: Documents, name: str, wanted: Documents) -> dict[str, t.Any]:
    """Return what goes with a pool, see planner.pool_migration; fails with the reasons why it may not go yet."""
    try:
        return leaving(stored, wanted, name)
    except PodnetError as error:
        raise AnsibleFilterError(str(error)) from error


def without_pool(items: Documents, name: str) -> list[dict[str, t.Any]]:
    """Return rows of calico_ip_pools, or documents, without the pool of that name."""
    return [item for item in items if not _is_pool(item, name)]


def _is_pool(item: t.Mapping[str, t.Any], name: str) -> bool:
    if "metadata" in item:
        return bool(item.get("kind") == "IPPool" and item["metadata"].get("name") == name)
    return bool(item.get("name") == name)


def pool_usage(hostvars: HostVars, hosts: t.Sequence[str]) -> dict[str, list[str]]:
    """Return in words what calico_pool_usage found on each host: pods, and ranges that new pods get addresses of."""
    found = {host: hostvars[host]["migrate_usage"] for host in hosts}
    return {
        "pods": [f"{host}: {_pod(entry)}" for host in hosts for entry in found[host]["pods"]],
        "ranges": [f"{host}: {cidr}" for host in hosts for cidr in found[host]["ranges"]],
    }


def _pod(entry: t.Mapping[str, str]) -> str:
    return f"{entry['address']} {entry['name']}".rstrip() + f" ({entry['device']})"


class FilterModule:
    """Provides the filters of podnet.calico for pools."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {
            "left_in": left_in,
            "pool_leaving": pool_leaving,
            "pool_usage": pool_usage,
            "without_pool": without_pool,
        }
