# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of the role audit: the logic itself is in module_utils."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.calico.plugins.module_utils.errors import PodnetError
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit_report import report

HostVars = t.Mapping[str, t.Mapping[str, t.Any]]


def audit_report(hostvars: HostVars, hosts: t.Sequence[str], everybody: t.Sequence[str], fail_on: str) -> t.Any:
    """Return the report on what calico_audit found on each host, and in the datastore."""
    seen = {host: hostvars[host].get("audit_result", {}) for host in hosts}
    places = {host: result["findings"] for host, result in seen.items() if "findings" in result}
    datastore = hostvars[hosts[0]].get("audit_datastore_result", {})
    if "findings" in datastore:
        places["datastore"] = datastore["findings"]
    try:
        return report(places, set(everybody) - set(places), fail_on)
    except PodnetError as error:
        raise AnsibleFilterError(str(error)) from error


def audit_nodes(hostvars: HostVars, group: t.Sequence[str]) -> list[str]:
    """Return the names of the nodes that hosts of the inventory are, whether they can be reached or not."""
    return [str(hostvars[host].get("calico_node_name") or host) for host in group]


class FilterModule:
    """Provides the filters."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {"audit_nodes": audit_nodes, "audit_report": audit_report}
