#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_preflight_info
short_description: Gather what could stand in the way of a pod network on a host
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Looks at the kernel's features, sysctls, addresses, routes, firewalls, network managers, udev, network card, other
    pod networks, identity and clock of a host, all at once. Changes nothing, and has the kernel load no module.
  - The filter P(podnet.calico.preflight_verdict#filter) judges what all hosts returned.
  - On the control machine it measures how far the host's clock may be from its own.
requirements:
  - Linux, root; no library beside Python's own. C(iptables-save), C(nft) and C(systemctl) are asked where they are.
extends_documentation_fragment:
  - podnet.calico.attributes.info
attributes:
  idempotent:
    support: N/A
    details: The clock moves on.
options:
  address:
    description:
      - Address of the node on the underlay, with or without prefix length. Without it O(preferred) is taken, or the one
        with which packets leave to the first of O(towards) that is another host.
    type: str
  ipv6_address:
    description: The node's IPv6 address beside an IPv4 O(address), with or without prefix length.
    type: str
  preferred:
    description: The address that is the node's if O(address) is not given and the host has it, such as C(ansible_host).
    type: str
    default: ""
  towards:
    description: Names or addresses of all nodes.
    type: list
    elements: str
    default: []
  networks:
    description: Ranges (CIDR) of pools and services; routes that overlap one of them are returned.
    type: list
    elements: str
    default: []
  cni_config_dir:
    description: Folder of the container runtime's networks.
    type: path
    default: /etc/cni/net.d
  cni_network_name:
    description: Name of our network in it.
    type: str
    default: podnet-calico
  cni_bin_dir:
    description: Directory of the CNI plugins; empty for where the host has them.
    type: path
    default: ""
seealso:
  - module: podnet.calico.calico_preflight_fix
  - module: podnet.calico.calico_probe
"""

EXAMPLES = r"""
- name: Look at the host
  podnet.calico.calico_preflight_info:
    towards: [192.0.2.11, 192.0.2.12]
    networks: [10.244.0.0/16]
  register: preflight_facts
"""

RETURN = r"""
facts:
  description: The evidence, by area.
  returned: success
  type: dict
  sample:
    hostname: node1
    machine_id: 3d1219c7c4c5404aaa1f6d2a48adfda4
    kernel: {release: 6.1.0-18-amd64, features: {vxlan: loadable}}
    node: {address: 192.0.2.11/24, device: eth0}
    clock: {now: 1795644580.2, synchronised: true, earliest: -0.3, latest: 0.2}
"""

import ipaddress

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.preflight.evidence import gather
from ansible_collections.podnet.calico.plugins.module_utils.preflight.network import NodeAddress
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Gather the evidence."""
    params = module.params
    for text in params["networks"]:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            raise InvalidInput(f"networks: {text} is no network", remedy="Write it as 10.244.0.0/16") from error
    cni = (params["cni_config_dir"], params["cni_network_name"], params["cni_bin_dir"])
    node = NodeAddress(params["address"] or "", params["ipv6_address"] or "", params["preferred"])
    return Outcome([], {"facts": gather(node, params["towards"], params["networks"], cni)})


def main() -> None:
    """Run the module."""
    spec = {
        "address": {"type": "str"},
        "ipv6_address": {"type": "str"},
        "preferred": {"type": "str", "default": ""},
        "towards": {"type": "list", "elements": "str", "default": []},
        "networks": {"type": "list", "elements": "str", "default": []},
        "cni_config_dir": {"type": "path", "default": "/etc/cni/net.d"},
        "cni_network_name": {"type": "str", "default": "podnet-calico"},
        "cni_bin_dir": {"type": "path", "default": ""},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
