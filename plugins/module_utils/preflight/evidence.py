# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All evidence of a host, in one dictionary; changes nothing."""

from __future__ import annotations

import glob
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cni import folder, plugin_folder, runtime
from ansible_collections.podnet.calico.plugins.module_utils.kernel import pod_gateway
from ansible_collections.podnet.calico.plugins.module_utils.kernel.advertisements import followers
from ansible_collections.podnet.calico.plugins.module_utils.preflight import (
    firewall,
    identity,
    kernel_features,
    managers,
    network,
    offloads,
    policy,
    switches,
)

FELIX = 80  # the protocol number that Calico's Felix gives its routes
_FOREIGN_LINKS = re.compile(
    r"cali[0-9a-f]{11}|vxlan\.calico|vxlan-v6\.calico|wireguard\.cali|wg-v6\.cali|flannel[.-].*|cni0|cilium_.*|lxc.*|weave"
    r"|vethwe-.*|kube-bridge|antrea-gw0|kube-ipvs0"
)
_TRACES = (
    "/var/lib/calico/nodename",
    "/etc/cni/net.d/calico-kubeconfig",
    "/run/flannel/subnet.env",
    "/var/run/cilium/cilium.pid",
    "/etc/cni/net.d/*.podnet-moved",
)


def gather(
    address: network.NodeAddress, towards: t.Iterable[str], networks: t.Iterable[str], cni: tuple[str, str, str]
) -> dict[str, t.Any]:
    """Return the facts of this host that judge reads.

    address: the node's, as the inventory has it. towards: addresses or names of all nodes. networks: ranges
    (CIDR) that nothing else may use. cni: folder of the container runtime's networks, the name of ours,
    and the directory of the plugins, empty for where the host has them.
    Raises KernelError if the kernel cannot be read.
    """
    kernel = kernel_features.read()
    seen = network.read(networks)
    node = network.node(seen["addresses"], address, towards)
    config_dir, name, bin_dir = cni
    number = runtime.networks_of_containerd()
    return {
        **identity.identity(),
        "kernel": kernel,
        **seen,
        "node": node,
        "rules": policy.read(),
        "pod_gateway": pod_gateway.answered(ours=True),
        "sysctl": switches.read(),
        "advertised": followers(),
        "firewall": firewall.read(kernel["features"]),
        "units": managers.units(),
        "managers": managers.read(),
        "offloads": offloads.read(node["device"]) if node["device"] else {},
        "cni": {
            "rivals": [rival._asdict() for rival in folder.rivals(config_dir, name)],
            "taken": number,
            "taken_too": [rival._asdict() for rival in folder.taken_too(config_dir, number)],
            "missing_plugins": plugin_folder.missing(folder.plugins(config_dir), bin_dir),
            "links": sorted(row["name"] for row in seen["links"] if not row["ours"] and _is_foreign(row["name"])),
            "routes": sum(row["protocol"] == FELIX for row in seen["routes"]),
            "traces": sorted(path for pattern in _TRACES for path in glob.glob(pattern)),
        },
        "clock": identity.clock(),  # last: what comes before takes its time
    }


def _is_foreign(name: str) -> bool:
    return _FOREIGN_LINKS.fullmatch(name) is not None
