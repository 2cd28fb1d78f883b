#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_ipam
short_description: Claim and release the blocks and addresses of nodes
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Claims a block for each node of every pool that selects it, in Calico's order, and the addresses of its tunnels, and
    writes them as Calico does. What a node has it keeps, whatever happens to other nodes.
  - The last address of each block is held for the probe pod of the verification.
  - Follows the IPAMConfiguration V(default) in the datastore (strictAffinity, autoAllocateBlocks, maxBlocksPerHost).
extends_documentation_fragment:
  - podnet.calico.attributes
  - podnet.calico.datastore
options:
  nodes:
    description: Names of the nodes.
    type: list
    elements: str
    required: true
  resources:
    description:
      - Documents to take as stored already. With the documents that M(podnet.calico.calico_resources) stores in the
        same play, check mode predicts what the run does.
    type: list
    elements: dict
    default: []
  state:
    description: V(absent) releases every address and block of the nodes.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Give three nodes their blocks
  podnet.calico.calico_ipam:
    nodes: [node1, node2, node3]

- name: Take them back from a node that is gone
  podnet.calico.calico_ipam:
    nodes: [node3]
    state: absent
"""

RETURN = r"""
changes:
  description: Blocks and addresses that were claimed or released, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: block, name: 10.244.0.0/26}]
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.datastore.connect import connect
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import snapshot, write
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Claim or release."""
    store = connect(module.params)
    change = ipam.claim if module.params["state"] == "present" else ipam.give_up
    with store.batch():
        stored = snapshot(store)
        before = put(stored, module.params["resources"])
        after = change(before, module.params["nodes"], now=time.time_ns())
        changes = ipam.differences(before, after)
        if not module.check_mode:
            write(store, stored, after)
    return Outcome(changes)


def main() -> None:
    """Run the module."""
    spec = {
        "nodes": {"type": "list", "elements": "str", "required": True},
        "resources": {"type": "list", "elements": "dict", "default": []},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        **argspec.datastore(),
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
