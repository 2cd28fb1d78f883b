#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_plan
short_description: Compute what nodes need, or say why it cannot work
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Reads all resources once and returns for each host asked for the whole plan of its part of the pod network, with
    tunnels, routes, BGP sessions, MTU, address ranges of pods, and what it requires of its surroundings.
  - Refuses what cannot work, naming every problem and its remedy. Changes nothing.
extends_documentation_fragment:
  - podnet.calico.attributes.info
  - podnet.calico.datastore
options:
  hosts:
    description:
      - Node name to what M(podnet.calico.calico_host_info) saw on the host,
        RV(podnet.calico.calico_host_info#module:host).
      - V(pod_mtu) beside it asks for an MTU of pods (bytes), which is refused if it does not fit through the underlay.
    type: dict
    required: true
  resources:
    description:
      - Documents to take as stored, blocks claimed for the O(hosts) included, whether or not they are yet.
      - So a plan can be had, and refused, before anything is written.
    type: list
    elements: dict
    default: []
  prune_marked:
    description: As O(podnet.calico.calico_resources#module:prune_marked), without anything being deleted.
    type: str
    default: ""
  bgp:
    description:
      - Whether BIRD routes. V(auto) says yes if a pool does without VXLAN, or if there is a BGPPeer.
      - With V(disabled) all routes are in the plan's RV(plans) as static routes.
    type: str
    choices: [auto, enabled, disabled]
    default: auto
  standby:
    description:
      - Adds to each plan as C(standby) the routes to what BIRD carries, with metric 4096, for
        M(podnet.calico.calico_route). With them in place traffic flows while BGP sessions reset.
      - There is none to a pod that is routed directly in another subnet, because the router in between decides there.
    type: bool
    default: false
  transition:
    description:
      - Adds to each plan as C(transition) how the node gets there from the modes of the pools in the datastore without
        losing packets, with the tunnels of both modes in the plan. The playbook C(switch_encapsulation) makes use of
        it.
      - All nodes in the datastore have to be among the O(hosts), and the other way round.
    type: bool
    default: false
  guard:
    description: Whether plans have the guard of the data path, for M(podnet.calico.calico_nat).
    type: bool
    default: true
  secrets:
    description:
      - The passwords of BGP sessions that there are values for, each as secret/key.
      - A session that needs another one is refused, unless its secret is optional. Not checked if not given.
    type: list
    elements: str
  allow_cut_off:
    description:
      - Nodes (their names) that may be left without BGP routes to or from others. For other O(hosts) that is refused
        in the words of M(podnet.calico.calico_lint), with its rules V(no-session), V(one-sided-session),
        V(nobody-connects), V(as-mismatch), V(password-mismatch), V(ttl-security-mismatch) and V(blocks-unreachable).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: What would node1 need?
  podnet.calico.calico_plan:
    hosts:
      node1: {address: 192.0.2.11/24, device: eth0, mtu: 1500, encapsulations: [vxlan]}
  register: result
"""

RETURN = r"""
plans:
  description: Node name to plan.
  returned: success
  type: dict
  sample: {node1: {node: node1, address: 192.0.2.11/24, tunnels: [], routes: []}}
stored:
  description:
    - A digest of each object that was stored, by kind and name. O(podnet.calico.calico_resources#module:expected) and
      O(podnet.calico.calico_ipam#module:expected) refuse to write by a plan that another run has made void.
  returned: success
  type: dict
  sample: {'IPPool "main"': 0c2ad10eefb1}
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.datastore.basis import basis
from ansible_collections.podnet.calico.plugins.module_utils.datastore.connect import connect
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import snapshot
from ansible_collections.podnet.calico.plugins.module_utils.module import Module
from ansible_collections.podnet.calico.plugins.module_utils.planner.build import plan_all
from ansible_collections.podnet.calico.plugins.module_utils.planner.ipam import claim
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Host
from ansible_collections.podnet.calico.plugins.module_utils.planner.shapes import complete
from ansible_collections.podnet.calico.plugins.module_utils.planner.transition import transitions
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Plan for all hosts."""
    hosts = {name: complete(Host, host, f"hosts.{name}") for name, host in module.params["hosts"].items()}
    stored = snapshot(connect(module.params))
    wanted = put(stored, module.params["resources"], pruned=module.params["prune_marked"])
    claimed = claim(wanted, hosts, now=time.time_ns(), keep=module.params["transition"])
    options = {key: module.params[key] for key in ("bgp", "standby", "secrets", "guard", "allow_cut_off")}
    plans = plan_all(claimed, hosts, **options)
    if module.params["transition"]:
        for node, transition in transitions(stored, claimed, hosts, options["bgp"]).items():
            plans[node]["transition"] = transition.as_dict()
    return Outcome([], {"plans": plans, "stored": basis(stored)})


def main() -> None:
    """Run the module."""
    spec = {
        "hosts": {"type": "dict", "required": True},
        "resources": {"type": "list", "elements": "dict", "default": []},
        "prune_marked": {"type": "str", "default": ""},
        "bgp": {"type": "str", "choices": ["auto", "enabled", "disabled"], "default": "auto"},
        "standby": {"type": "bool", "default": False},
        "transition": {"type": "bool", "default": False},
        "guard": {"type": "bool", "default": True},
        "secrets": {"type": "list", "elements": "str", "no_log": False},
        "allow_cut_off": {"type": "list", "elements": "str", "default": []},
        **argspec.datastore(),
    }
    run(Module(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
