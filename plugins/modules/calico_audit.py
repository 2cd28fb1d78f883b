#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_audit
short_description: Find every difference between what a node should be and what it is
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Compares the plan of a node with the host, in one pass, and returns each difference with its category, what it
    does to packets and what to do about it. Changes nothing, and never fails because of what it finds.
  - It looks at sysctls, tunnel devices with their addresses, neighbours and forwarding entries (FDB), routes of the
    collection and those that BIRD should have put into the kernel, outgoing NAT, BIRD's files, sessions and unit, the
    container runtime's networks, and the file that names the protocol of our routes.
  - With O(nodes) it looks at the datastore.
  - The category C(missing) means that something is not there; C(wrong), that it is there with other values; C(stale),
    that it is ours but not planned, or belongs to a node that is gone; C(foreign), that something of somebody else is
    in the way.
extends_documentation_fragment:
  - podnet.calico.attributes.info
  - podnet.calico.datastore
options:
  plan:
    description:
      - The node's plan, whole or compact, as M(podnet.calico.calico_plan) returns it. Routes of BIRD are compared if it
        was made with O(podnet.calico.calico_plan#module:standby=true).
    type: dict
  passwords:
    description: Passwords of BGP sessions, as O(podnet.calico.calico_bird#module:passwords).
    type: dict
    default: {}
  bfd:
    description: Whether BIRD uses BFD, as O(podnet.calico.calico_bird#module:bfd).
    type: bool
    default: false
  bird_service:
    description: Name of BIRD's unit.
    type: str
    default: bird
  checksum_offload:
    description: As O(podnet.calico.calico_tunnel#module:checksum_offload).
    type: bool
  cni:
    description: How the container runtime's network is described.
    type: dict
    suboptions:
      config_dir:
        description: Directory of the container runtime's networks.
        type: path
        default: /etc/cni/net.d
      name:
        description: Name of the network.
        type: str
        default: podnet-calico
      bin_dir:
        description: Directory of the CNI plugins; empty for where the host has them.
        type: path
        default: ""
      version:
        description: Version of the CNI specification.
        type: str
        default: 1.0.0
      chain:
        description: As O(podnet.calico.calico_cni_config#module:chain).
        type: str
        choices: [ptp, calico]
        default: ptp
      calico:
        description: As O(podnet.calico.calico_cni_config#module:calico).
        type: dict
        default: {}
      kubeconfig:
        description: As O(podnet.calico.calico_cni_config#module:kubeconfig).
        type: dict
        default: {}
      extra_plugins:
        description: As O(podnet.calico.calico_cni_config#module:extra_plugins).
        type: list
        elements: dict
        default: []
      list_options:
        description: As O(podnet.calico.calico_cni_config#module:list_options).
        type: dict
        default: {}
  nodes:
    description: Names of all nodes of the inventory; what the O(datastore) has of other nodes is stale.
    type: list
    elements: str
  seen:
    description: Those of O(nodes) that O(resources) are made from, if some of the hosts could not be reached.
    type: list
    elements: str
  resources:
    description: Documents that should be in the O(datastore).
    type: list
    elements: dict
    default: []
seealso:
  - module: podnet.calico.calico_plan
  - module: podnet.calico.calico_leftovers
"""

EXAMPLES = r"""
- name: Is this node as it was planned?
  podnet.calico.calico_audit:
    plan: "{{ plan_of_node }}"
  register: audit

- name: Does the datastore have anything of nodes that are gone?
  podnet.calico.calico_audit:
    nodes: "{{ groups.calico_nodes }}"
"""

RETURN = r"""
findings:
  description: The differences, by category.
  returned: success
  type: list
  elements: dict
  sample:
    - category: wrong
      kind: tunnel
      name: vxlan.calico
      expected: mtu 1450
      actual: mtu 1400
      why: packets to nodes behind the tunnel get lost
      remedy: Run podnet.calico.deploy, which repairs it
counts:
  description: How many findings there are of each category.
  returned: success
  type: dict
  sample: {missing: 0, wrong: 1, stale: 0, foreign: 0}
clean:
  description: Whether there are none.
  returned: success
  type: bool
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cni import conflist
from ansible_collections.podnet.calico.plugins.module_utils.datastore.connect import connect
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import snapshot
from ansible_collections.podnet.calico.plugins.module_utils.discreet import DiscreetModule
from ansible_collections.podnet.calico.plugins.module_utils.planner.handover import whole
from ansible_collections.podnet.calico.plugins.module_utils.planner.shapes import checked_passwords
from ansible_collections.podnet.calico.plugins.module_utils.runner import run
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit import Finding, facts
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit_datastore import of_datastore
from ansible_collections.podnet.calico.plugins.module_utils.verify.audit_host import of_host

CNI = {
    "config_dir": {"type": "path", "default": "/etc/cni/net.d"},
    "name": {"type": "str", "default": "podnet-calico"},
    "bin_dir": {"type": "path", "default": ""},
    "version": {"type": "str", "default": "1.0.0"},
    "chain": {"type": "str", "choices": list(conflist.CHAINS), "default": "ptp"},
    "calico": {"type": "dict", "default": {}},
    "kubeconfig": {"type": "dict", "default": {}, "no_log": True},
    "extra_plugins": {"type": "list", "elements": "dict", "default": []},
    "list_options": {"type": "dict", "default": {}},
}


def look(params: t.Mapping[str, t.Any]) -> t.Iterator[Finding]:
    """Yield what is found on the host and in the datastore, as far as that is asked for."""
    if params["plan"] is not None:
        checked_passwords(params["passwords"])
        yield from of_host(whole(params["plan"]), params)
    if params["nodes"] is not None:
        seen = params["nodes"] if params["seen"] is None else params["seen"]
        stored = snapshot(connect(params))
        yield from of_datastore(stored, params["nodes"], seen, params["resources"], time.time_ns())


def secrets(params: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Yield the secrets in the description of the container runtime's network."""
    return conflist.secrets(params.get("cni"))


def work(module: AnsibleModule) -> Outcome:
    """Report."""
    return Outcome([], facts(list(look(module.params))))


def main() -> None:
    """Run the module."""
    spec = {
        "plan": {"type": "dict"},
        "passwords": {"type": "dict", "default": {}, "no_log": True},
        "bfd": {"type": "bool", "default": False},
        "bird_service": {"type": "str", "default": "bird"},
        "checksum_offload": {"type": "bool"},
        "cni": {"type": "dict", "apply_defaults": True, "options": CNI},
        "nodes": {"type": "list", "elements": "str"},
        "seen": {"type": "list", "elements": "str"},
        "resources": {"type": "list", "elements": "dict", "default": []},
        **argspec.datastore(),
    }
    one = [("plan", "nodes")]
    options = {"required_one_of": one, "supports_check_mode": True}
    run(DiscreetModule(secrets=secrets, argument_spec=spec, **options), work)


if __name__ == "__main__":
    main()
