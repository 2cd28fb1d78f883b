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
  - Refuses what cannot work, naming every problem and its remedy, before anything is written.
  - Changes nothing unless O(store) says so.
extends_documentation_fragment:
  - podnet.calico.attributes
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
    description: As O(podnet.calico.calico_resources#module:prune_marked); deletes nothing unless O(store) is set.
    type: str
    default: ""
  store:
    description:
      - Stores the O(resources) and claims blocks and addresses for the O(hosts), as
        M(podnet.calico.calico_resources) and M(podnet.calico.calico_ipam) do, in the same step in which the plans are
        made. Of runs at the same time each plans with what the others have claimed, so that no block gets two nodes.
      - Nothing is written if anything is refused.
    type: bool
    default: false
  compact:
    description:
      - Returns in RV(plans) only what plays decide by, and as RV(table) one text for all nodes, from which each of them
        works out its whole plan. Together they grow with the number of nodes, whole plans with its square.
      - A plan in RV(plans) with that text as C(table) is a compact plan. Modules with an option O(ignore:plan) take it
        as they take a whole one.
    type: bool
    default: false
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
      - All nodes in the datastore have to be among the O(hosts), and the other way round. Not together with O(store).
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

- name: Store a pool and a node, claim a block for it, and plan it
  podnet.calico.calico_plan:
    store: true
    hosts:
      node1: {address: 192.0.2.11/24, device: eth0, mtu: 1500, encapsulations: [vxlan]}
    resources:
      - apiVersion: projectcalico.org/v3
        kind: IPPool
        metadata: {name: main}
        spec: {cidr: 10.244.0.0/16, vxlanMode: Always}
      - apiVersion: projectcalico.org/v3
        kind: Node
        metadata: {name: node1}
        spec: {bgp: {ipv4Address: 192.0.2.11/24}}

- name: Plan all nodes without sending each of them its whole plan
  podnet.calico.calico_plan:
    compact: true
    hosts: "{{ calico_hosts_seen }}"
  register: agreed
  run_once: true

- name: Have each node work out its own plan, and follow it
  podnet.calico.calico_dataplane:
    plan: "{{ agreed.plans[inventory_hostname] | combine({'table': agreed.table}) }}"
"""

RETURN = r"""
plans:
  description:
    - Node name to plan. C(bird) says whether BIRD runs, C(secrets) names the passwords that its sessions need as
      secret/key, C(nft) says whether nft is needed, C(probe_pods) are endpoints for M(podnet.calico.calico_veth).
    - With O(compact) a plan has these, C(blocks), C(cni) and the small parts of C(transition), and nothing else.
  returned: success
  type: dict
  sample: {node1: {node: node1, bird: false, secrets: [], address: 192.0.2.11/24, tunnels: [], routes: []}}
table:
  description: The cluster, from which each node works out its plan.
  returned: with O(compact)
  type: str
  sample: eJxVjk0KwjAQhe8y61AK7rp
changes:
  description: Objects that were stored, and blocks and addresses that were claimed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: IPPool, name: main}, {action: create, kind: block, name: 10.244.0.0/26}]
stored:
  description:
    - A digest of each stored object, by kind and name. O(podnet.calico.calico_resources#module:expected) and
      O(podnet.calico.calico_ipam#module:expected) refuse to write by a plan that another run has made void.
    - With O(store) that of what is stored now, which in check mode is what was stored before.
  returned: success
  type: dict
  sample: {'IPPool "main"': 0c2ad10eefb1}
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.basis import basis
from ansible_collections.podnet.calico.plugins.module_utils.datastore.connect import connect
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot, settle
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.module import Module
from ansible_collections.podnet.calico.plugins.module_utils.planner.agreement import (
    OPTIONS,
    Agreement,
    Wish,
    agree,
    differences,
)
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Host
from ansible_collections.podnet.calico.plugins.module_utils.planner.shapes import complete
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def wish_of(params: t.Mapping[str, t.Any]) -> Wish:
    """Return the options as what is wanted of the cluster."""
    if params["store"] and params["transition"]:
        remedy = "Plan the transition first, and store when the nodes have made it"
        raise InvalidInput("store contradicts transition", remedy=remedy)
    hosts = {name: complete(Host, host, f"hosts.{name}") for name, host in params["hosts"].items()}
    options = {key: params[key] for key in OPTIONS}
    return Wish(hosts, params["resources"], params["prune_marked"], options, params["transition"])


def work(module: AnsibleModule) -> Outcome:
    """Plan for all hosts, and store what the plans are made from if that is asked for."""
    wish, storing = wish_of(module.params), module.params["store"]
    agreed: list[Agreement] = []

    def change(before: Snapshot) -> Snapshot:
        agreed[:] = [agree(before, wish, now=time.time_ns())]
        return agreed[0].stored

    checking = module.check_mode or not storing
    before, after = settle(connect(module.params), change, check_mode=checking)
    plans = agreed[0].compact() if module.params["compact"] else agreed[0].whole()
    facts = {**plans, "stored": basis(before if checking else after)}
    return Outcome(differences(before, after) if storing else [], facts)


def main() -> None:
    """Run the module."""
    spec = {
        "hosts": {"type": "dict", "required": True},
        "resources": {"type": "list", "elements": "dict", "default": []},
        "prune_marked": {"type": "str", "default": ""},
        "store": {"type": "bool", "default": False},
        "compact": {"type": "bool", "default": False},
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
