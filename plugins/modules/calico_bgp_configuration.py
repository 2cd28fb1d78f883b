#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage a BGPConfiguration."""

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_bgp_configuration
short_description: Manage a BGPConfiguration, the BGP settings of all nodes or of one
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Creates, changes and deletes Calico's BGPConfiguration resource in the datastore.
  - An option that is not given keeps its stored value; a new configuration named V(default) gets Calico's defaults.
extends_documentation_fragment:
  - podnet.calico.attributes
  - podnet.calico.datastore
  - podnet.calico.datastore.resource
options:
  name:
    description: V(default) for all nodes, or C(node.) and a node's name for one.
    type: str
    default: default
  log_severity_screen:
    description: How much BIRD logs.
    type: str
    choices: [Trace, Debug, Info, Warning, Error, Fatal]
  node_to_node_mesh_enabled:
    description: Whether every node peers with every other one. For O(name=default) alone.
    type: bool
  as_number:
    description:
      - AS of the nodes that have none of their own, as a number or as two halves in quotes. For O(name=default) alone.
    type: raw
  service_cluster_ips:
    description: Ranges of Kubernetes cluster IPs to advertise. For O(name=default) alone.
    type: list
    elements: str
  service_external_ips:
    description: Ranges of Kubernetes external IPs to advertise. For O(name=default) alone.
    type: list
    elements: str
  service_load_balancer_ips:
    description: Ranges of Kubernetes load balancer IPs to advertise. For O(name=default) alone.
    type: list
    elements: str
  service_load_balancer_aggregation:
    description:
      - With V(Disabled), Calico advertises each service instead of the whole range.
      - This collection knows no services, so nodes then advertise nothing of these ranges.
    type: str
    choices: [Enabled, Disabled]
  communities:
    description: Names for community values.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the community.
        type: str
        required: true
      value:
        description: The value in quotes, for example V("65000:100") or V("65000:1:100").
        type: raw
        required: true
  prefix_advertisements:
    description: Prefixes whose routes carry communities.
    type: list
    elements: dict
    suboptions:
      cidr:
        description: The prefix.
        type: str
        required: true
      communities:
        description: Names or values of communities.
        type: list
        elements: str
  listen_port:
    description: TCP port of BIRD.
    type: int
  node_mesh_password:
    description: Where the password of the mesh sessions is. Passwords themselves are not stored.
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
  node_mesh_max_restart_time:
    description: Graceful restart time of the mesh sessions, for example V(2m). For O(name=default) alone.
    type: str
  bind_mode:
    description: With V(NodeIP), BIRD listens on the node's address instead of on all.
    type: str
    choices: [None, NodeIP]
  ignored_interfaces:
    description: Names or patterns of interfaces whose networks BIRD does not learn.
    type: list
    elements: str
  local_workload_peering_ipv4:
    description: Address at which workloads reach their node's BIRD. Stored for Calico; of no effect here.
    type: str
  local_workload_peering_ipv6:
    description: IPv6 address at which workloads reach their node's BIRD. Stored for Calico; of no effect here.
    type: str
  program_cluster_routes:
    description:
      - Whether BIRD programs the routes between nodes, in Calico. What it means to give nothing depends on its version.
      - Stored for Calico; of no effect here, where the option C(bgp) of M(podnet.calico.calico_plan) decides.
    type: str
    choices: [Enabled, Disabled, EnabledIPIPOnly, EnabledNoEncapOnly]
  ipv4_normal_route_priority:
    description:
      - Priority of IPv4 routes, which nodes send as LOCAL_PREF 2147483647 less it.
      - In Calico also their metric in the kernel, which here is BIRD's own, 32.
    type: int
  ipv6_normal_route_priority:
    description: As O(ipv4_normal_route_priority), for IPv6.
    type: int
seealso:
  - module: podnet.calico.calico_bgp_peer
  - module: podnet.calico.calico_resource_info
"""

EXAMPLES = r"""
- name: Use route reflectors instead of the mesh
  podnet.calico.calico_bgp_configuration:
    as_number: 64512
    node_to_node_mesh_enabled: false

- name: Mark the routes of a pool
  podnet.calico.calico_bgp_configuration:
    communities:
      - name: pods
        value: "64512:100"
    prefix_advertisements:
      - cidr: 10.244.0.0/16
        communities: [pods]

- name: Have one node listen on another port
  podnet.calico.calico_bgp_configuration:
    name: node.node1
    listen_port: 1179
"""

RETURN = r"""
resource:
  description: The configuration in canonical form; null if it is absent.
  returned: success
  type: dict
  sample:
    apiVersion: projectcalico.org/v3
    kind: BGPConfiguration
    metadata: {name: default, resourceVersion: "1"}
    spec: {nodeToNodeMeshEnabled: true, asNumber: 64512, listenPort: 179}
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: BGPConfiguration, name: default}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.converge import converge_one
from ansible_collections.podnet.calico.plugins.module_utils.module import Module
from ansible_collections.podnet.calico.plugins.module_utils.resources import option_specs, options
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Make the configuration present or absent."""
    return converge_one(module, options.bgp_configuration(module.params))


def main() -> None:
    """Run the module."""
    name = {"name": {"type": "str", "default": "default"}}
    spec = {**argspec.resource(), **name, **option_specs.BGP_CONFIGURATION}
    run(Module(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
