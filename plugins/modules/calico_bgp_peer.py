#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage a BGPPeer."""

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_bgp_peer
short_description: Manage a BGPPeer, a session that nodes keep with a router or with each other
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Creates, changes and deletes Calico's BGPPeer resource in the datastore.
  - An option that is not given keeps its stored value. Giving O(node) removes a stored O(node_selector) and the
    reverse; the same holds among O(peer_ip), O(peer_selector) and O(local_workload_selector).
extends_documentation_fragment:
  - podnet.calico.attributes
  - podnet.calico.datastore
  - podnet.calico.datastore.resource
options:
  name:
    description: The peer's name.
    type: str
    required: true
  node:
    description: The one node that keeps the session. Without it and O(node_selector), every node does.
    type: str
  node_selector:
    description: Selector of the nodes that keep the session.
    type: str
  peer_ip:
    description: Address of the other end with an optional port, like V(192.0.2.1:1179) or V([2001:db8::1]:1179).
    type: str
  peer_selector:
    description: Selector of the nodes that are the other end.
    type: str
  local_workload_selector:
    description: Selector of workloads on the node itself that are the other end.
    type: str
  as_number:
    description: AS of the other end, as a number or as two halves in quotes. Not possible with O(peer_selector).
    type: raw
  local_as_number:
    description: AS that the nodes use in this session instead of their own.
    type: raw
  keep_original_next_hop:
    description: Whether eBGP routes keep their next hop; O(next_hop_mode) replaces it.
    type: bool
  next_hop_mode:
    description: How the next hop of advertised routes is set.
    type: str
    choices: [Auto, Self, Keep]
  password:
    description: Where the session's password is. Passwords themselves are not stored.
    type: dict
    suboptions:
      name:
        description: Name of a Kubernetes Secret.
        type: str
        required: true
      key:
        description: Key in the Secret.
        type: str
        required: true
      optional:
        description: Whether the Secret may be missing.
        type: bool
  source_address:
    description: Whether the session starts from the node's address or from whatever address routing chooses.
    type: str
    choices: [UseNodeIP, None]
  max_restart_time:
    description: Graceful restart time, for example V(2m).
    type: str
  keepalive_time:
    description: BGP keepalive time, for example V(30s).
    type: str
  num_allowed_local_as_numbers:
    description: How often the own AS may occur in the path of a received route.
    type: int
  ttl_security:
    description: Number of hops to the other end, for the TTL security mechanism (RFC 5082).
    type: int
  reachable_by:
    description: Gateway through which O(peer_ip) is reached.
    type: str
  filters:
    description: Names of BGPFilter objects, applied in this order.
    type: list
    elements: str
  reverse_peering:
    description: With V(Manual), the nodes chosen by O(peer_selector) get no session back of their own.
    type: str
    choices: [Auto, Manual]
seealso:
  - module: podnet.calico.calico_bgp_configuration
  - module: podnet.calico.calico_resource_info
"""

EXAMPLES = r"""
- name: Have all nodes of a rack peer with its router
  podnet.calico.calico_bgp_peer:
    name: rack1-router
    node_selector: rack == "r1"
    peer_ip: 192.0.2.1
    as_number: 64513

- name: Have all other nodes peer with the route reflectors
  podnet.calico.calico_bgp_peer:
    name: reflectors
    node_selector: "!has(route-reflector)"
    peer_selector: has(route-reflector)
"""

RETURN = r"""
resource:
  description: The peer in canonical form, all defaults filled in; null if it is absent.
  returned: success
  type: dict
  sample:
    apiVersion: projectcalico.org/v3
    kind: BGPPeer
    metadata: {name: rack1-router, resourceVersion: "1"}
    spec: {nodeSelector: 'rack == "r1"', peerIP: 192.0.2.1, asNumber: 64513, sourceAddress: UseNodeIP}
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: BGPPeer, name: rack1-router}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.converge import converge_one
from ansible_collections.podnet.calico.plugins.module_utils.module import Module
from ansible_collections.podnet.calico.plugins.module_utils.resources import option_specs, options
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Make the peer present or absent."""
    return converge_one(module, options.bgp_peer(module.params))


def main() -> None:
    """Run the module."""
    run(Module(argument_spec={**argspec.resource(), **option_specs.BGP_PEER}, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
