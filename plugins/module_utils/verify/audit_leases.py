# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes of host-local in an audit: addresses of a node's blocks that it keeps for containers that are gone.

Each file with an address as its name keeps that address from all other pods, whoever made it and whatever it says.
"""

from __future__ import annotations

import ipaddress
import os
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cni import conflist, networks
from ansible_collections.podnet.calico.plugins.module_utils.kernel import pods
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit import STALE, Finding, finding

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.ip import Address
    from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink

_STARTING = 300.0  # seconds within which a pod that has got its address has its route as well
_WHY = "no pod of this host has the address, and none can get it"
_REMEDY = "If the container runtime does not know the container any more, remove the file"


def of_leases(netlink: Netlink, plan: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any]) -> t.Iterator[Finding]:
    """Yield stray notes on the plan's blocks; options: how the network is described, as cni of calico_audit."""
    folder, name = conflist.LEASES, options["name"]
    blocks = [ipaddress.ip_network(block) for block in plan["blocks"]]
    noted = {
        address: holder
        for text, holder in networks.leases(folder, name, age=_STARTING).items()
        for address in _addresses(text)
        if any(address in block for block in blocks)
    }
    used = {text for pod in pods.read(netlink, blocks) for text in pod.addresses} if noted else set()
    for address, holder in sorted(noted.items(), key=lambda item: (item[0].version, int(item[0]))):
        if str(address) not in used:
            yield finding(STALE, "lease", os.path.join(folder, name, str(address)), "", holder, _WHY, _REMEDY)


def _addresses(name: str) -> t.Iterator[Address]:
    """Yield the address that a file's name is, if it is one."""
    try:
        yield ipaddress.ip_address(name)
    except ValueError:
        return
