# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the platforms of hosts mean, as filters: the logic itself is in module_utils."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.calico.plugins.module_utils.cloud import needs, platforms
from ansible_collections.podnet.calico.plugins.module_utils.cloud.judge import judge
from ansible_collections.podnet.calico.plugins.module_utils.errors import PodnetError
from ansible_collections.podnet.calico.plugins.module_utils.preflight.choice import listed
from ansible_collections.podnet.calico.plugins.module_utils.resources.inventory import pools_of
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool

HostVars = t.Mapping[str, t.Mapping[str, t.Any]]
Pools = t.Sequence[t.Dict[str, t.Any]]

_MANAGED = (platforms.AWS, platforms.AZURE, platforms.GOOGLE, platforms.OPENSTACK)
# How a platform calls a machine, and what has to be known for that.
_CALLED = {
    platforms.AZURE: (
        "/subscriptions/{project}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}",
        ("project", "group", "name"),
    ),
    platforms.GOOGLE: ("projects/{project}/zones/{zone}/instances/{name}", ("project", "zone", "name")),
}
_BY_ADDRESS = (platforms.OPENSTACK,)  # where a machine is found without its id


def cloud_modes(pools: Pools) -> list[str]:
    """Return the encapsulations of the pools."""
    return sorted({pool.encapsulation for pool in _read(pools)})


def cloud_ranges(pools: Pools) -> list[str]:
    """Return the ranges of those pools whose packets have pods' addresses on the wire, at least between some nodes."""
    return [str(pool.cidr) for pool in _read(pools) if needs.wanted([pool.encapsulation]).direct]


def cloud_verdict(
    hostvars: HostVars, hosts: t.Sequence[str], pools: Pools, ignore: t.Any = (), **given: bool
) -> dict[str, t.Any]:
    """Return the verdict of judge.judge.

    given: manage (whether conditions are about to be made true where we can), rules (whether by rules of firewalls,
    too).
    """
    found = {host: hostvars[host]["cloud_found"] for host in hosts}
    managed = _MANAGED if given.get("manage") else ()
    try:
        modes, ranges = cloud_modes(pools), cloud_ranges(pools)
        return judge(found, modes, ranges, listed(ignore), managed, rules=given.get("rules", True))
    except PodnetError as error:
        raise AnsibleFilterError(str(error)) from error


def cloud_machines(hostvars: HostVars, hosts: t.Sequence[str], platform: str) -> list[dict[str, t.Any]]:
    """Return region and machines of the hosts on a platform, each with id and addresses, one entry for each region.

    Where a machine's id says where it is, all are in one entry, without region.
    """
    regions: dict[str, list[dict[str, t.Any]]] = {}
    for host in hosts:
        found = hostvars[host]["cloud_found"]
        if found["platform"] != platform:
            continue
        told, known = hostvars[host].get("cloud_place", {}), found["metadata"] or {}
        name, address = told.get("instance") or _called(platform, known), told.get("address")
        if not name and not (address and platform in _BY_ADDRESS):
            raise AnsibleFilterError(
                f"{host}: its instance of {platforms.WORDS[platform]} is not known, and its metadata service does not "
                "answer. Set cloud_instance (the inventory plugin amazon.aws.aws_ec2 does so by itself)"
            )
        region = "" if platform in _CALLED else told.get("region") or known.get("region") or ""
        regions.setdefault(region, []).append({"id": name, "addresses": [address] if address else []})
    return [{"region": region, "machines": each} for region, each in sorted(regions.items())]


def _called(platform: str, known: t.Mapping[str, t.Any]) -> str:
    """Return the id by which a platform's interface knows a machine, "" where its metadata does not tell."""
    if platform not in _CALLED:
        return str(known.get("instance") or "")
    name, parts = _CALLED[platform]
    return name.format(**known) if all(known.get(part) for part in parts) else ""


def _read(pools: Pools) -> list[IPPool]:
    try:
        return pools_of(pools)
    except PodnetError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Provides the filters of podnet.calico for clouds."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {
            "cloud_machines": cloud_machines,
            "cloud_modes": cloud_modes,
            "cloud_ranges": cloud_ranges,
            "cloud_verdict": cloud_verdict,
        }
