#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage an IPPool."""

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_ippool
short_description: Manage an IPPool, a range of pod addresses
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Creates, changes and deletes Calico's IPPool resource in the datastore.
  - An option that is not given keeps its stored value; a new pool gets Calico's default.
  - Deleting a pool does not take addresses away from the pods that have them.
extends_documentation_fragment:
  - podnet.calico.attributes
  - podnet.calico.datastore
  - podnet.calico.datastore.resource
options:
  name:
    description: The pool's name.
    type: str
    required: true
  cidr:
    description:
      - The range, IPv4 or IPv6, without host bits. Needed for a new pool; cannot change later.
      - It overlaps no other pool, no node address, and no network that pods are to reach.
    type: str
  block_size:
    description:
      - Prefix length of the blocks that nodes own, 20 to 32 for IPv4 and 116 to 128 for IPv6. Cannot change later.
      - A new pool gets V(26) for IPv4 and V(122) for IPv6.
    type: int
  encapsulation:
    description:
      - How pod traffic travels between nodes. The C(CrossSubnet) modes encapsulate between subnets only.
      - Sets both O(ipip_mode) and O(vxlan_mode), so give either this or those.
    type: str
    choices: [None, IPIP, IPIPCrossSubnet, VXLAN, VXLANCrossSubnet]
  ipip_mode:
    description: IP in IP, as in the resource's C(ipipMode). A value other than V(Never) sets O(vxlan_mode=Never).
    type: str
    choices: [Never, Always, CrossSubnet]
    aliases: [ipipMode]
  vxlan_mode:
    description: VXLAN, as in the resource's C(vxlanMode). A value other than V(Never) sets O(ipip_mode=Never).
    type: str
    choices: [Never, Always, CrossSubnet]
    aliases: [vxlanMode]
  nat_outgoing:
    description: Whether traffic from pods to addresses outside of all pools gets the node's address as its source.
    type: bool
  disabled:
    description: Whether no new addresses are drawn from the pool.
    type: bool
  disable_bgp_export:
    description: Whether the pool's routes are kept from BGP peers.
    type: bool
  node_selector:
    description: Selector of the nodes that draw blocks from the pool.
    type: str
  namespace_selector:
    description: Selector of the Kubernetes namespaces whose pods get addresses; needs O(allowed_uses=Workload) alone.
    type: str
  allowed_uses:
    description: What the addresses are for. V(LoadBalancer) stands alone.
    type: list
    elements: str
    choices: [Workload, Tunnel, LoadBalancer]
  assignment_mode:
    description: With V(Manual), only those who name the pool get addresses from it.
    type: str
    choices: [Automatic, Manual]
seealso:
  - module: podnet.calico.calico_resources
  - module: podnet.calico.calico_resource_info
"""

EXAMPLES = r"""
- name: Have a pool that encapsulates between subnets
  podnet.calico.calico_ippool:
    name: main
    cidr: 10.244.0.0/16
    encapsulation: VXLANCrossSubnet
    nat_outgoing: true

- name: Have an IPv6 pool for the nodes of one rack
  podnet.calico.calico_ippool:
    name: rack1-v6
    cidr: 2001:db8:244::/56
    node_selector: rack == "r1"

- name: Draw no new addresses from a pool
  podnet.calico.calico_ippool:
    name: old
    disabled: true
"""

RETURN = r"""
resource:
  description: The pool in canonical form, all defaults filled in; null if it is absent.
  returned: success
  type: dict
  sample:
    apiVersion: projectcalico.org/v3
    kind: IPPool
    metadata: {name: main, resourceVersion: "1"}
    spec: {cidr: 10.244.0.0/16, blockSize: 26, ipipMode: Never, vxlanMode: CrossSubnet, natOutgoing: true}
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: IPPool, name: main}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.converge import converge_one
from ansible_collections.podnet.calico.plugins.module_utils.module import Module
from ansible_collections.podnet.calico.plugins.module_utils.resources import option_specs, options
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Make the pool present or absent."""
    return converge_one(module, options.ippool(module.params))


def main() -> None:
    """Run the module."""
    run(Module(argument_spec={**argspec.resource(), **option_specs.IPPOOL}, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
