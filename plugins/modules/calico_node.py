#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage a Node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_node
short_description: Manage a Node, a host that carries pods
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Creates, changes and deletes Calico's Node resource in the datastore.
  - An option that is not given keeps its stored value.
  - Deleting a node deletes this object alone. Blocks and addresses of the node stay until they are released.
extends_documentation_fragment:
  - podnet.calico.attributes
  - podnet.calico.datastore
  - podnet.calico.datastore.resource
options:
  name:
    description: The node's name, in lower case.
    type: str
    required: true
  as_number:
    description:
      - The node's AS, if it has one of its own, as a number or as two halves in quotes, for example V("1.10").
    type: raw
  ipv4_address:
    description:
      - The node's underlay address with the prefix length of its interface.
      - The prefix length decides which other nodes are in the same subnet for the C(CrossSubnet) modes.
    type: str
  ipv6_address:
    description: The node's IPv6 underlay address with the prefix length of its interface.
    type: str
  ipv4_ipip_tunnel_addr:
    description: The address of C(tunl0).
    type: str
  route_reflector_cluster_id:
    description: Makes the node a route reflector of this cluster ID, written as an IPv4 address.
    type: str
  ipv4_vxlan_tunnel_addr:
    description: The address of C(vxlan.calico).
    type: str
  vxlan_tunnel_mac_addr:
    description: The MAC address of C(vxlan.calico), where it is not derived from the node's name.
    type: str
  ipv6_vxlan_tunnel_addr:
    description: The address of C(vxlan-v6.calico).
    type: str
  vxlan_tunnel_mac_addr_v6:
    description: The MAC address of C(vxlan-v6.calico), where it is not derived from the node's name.
    type: str
seealso:
  - module: podnet.calico.calico_resource_info
"""

EXAMPLES = r"""
- name: Have a node
  podnet.calico.calico_node:
    name: node1
    ipv4_address: 192.0.2.11/24
    ipv6_address: 2001:db8::11/64
    labels:
      rack: r1

- name: Make it a route reflector
  podnet.calico.calico_node:
    name: node1
    route_reflector_cluster_id: 192.0.2.1
    labels:
      route-reflector: "true"

- name: Forget a node
  podnet.calico.calico_node:
    name: node9
    state: absent
"""

RETURN = r"""
resource:
  description: The node in canonical form; null if it is absent.
  returned: success
  type: dict
  sample:
    apiVersion: projectcalico.org/v3
    kind: Node
    metadata: {name: node1, labels: {rack: r1}, resourceVersion: "1"}
    spec: {bgp: {ipv4Address: 192.0.2.11/24}}
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: Node, name: node1}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.converge import converge_one
from ansible_collections.podnet.calico.plugins.module_utils.module import Module
from ansible_collections.podnet.calico.plugins.module_utils.resources import options
from ansible_collections.podnet.calico.plugins.module_utils.runner import run

SPEC = {
    "as_number": {"type": "raw"},
    "ipv4_address": {"type": "str"},
    "ipv6_address": {"type": "str"},
    "ipv4_ipip_tunnel_addr": {"type": "str"},
    "route_reflector_cluster_id": {"type": "str"},
    "ipv4_vxlan_tunnel_addr": {"type": "str"},
    "vxlan_tunnel_mac_addr": {"type": "str"},
    "ipv6_vxlan_tunnel_addr": {"type": "str"},
    "vxlan_tunnel_mac_addr_v6": {"type": "str"},
}


def work(module: AnsibleModule) -> Outcome:
    """Make the node present or absent."""
    return converge_one(module, options.node(module.params))


def main() -> None:
    """Run the module."""
    run(Module(argument_spec={**argspec.resource(), **SPEC}, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
