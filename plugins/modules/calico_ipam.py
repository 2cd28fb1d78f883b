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
  cidrs:
    description:
      - Ranges, such as that of a pool that goes. Their blocks are released, whichever nodes own them, and all addresses
        in them, whoever holds them. Needs O(state=absent).
      - Deleting an IPPool does not release its blocks.
    type: list
    elements: str
  resources:
    description:
      - Documents to take as stored already. They are not written. With the documents that
        M(podnet.calico.calico_resources) stores in the same play, check mode predicts what the run does.
    type: list
    elements: dict
    default: []
  expected:
    description:
      - What is stored as far as the plan knows, RV(stored) of the step before. Nothing is written where another run has
        changed it since then, so that no node acts by a plan in which it has another one's block.
    type: dict
  keep:
    description:
      - Leaves nodes the addresses of tunnels that no pool uses any more, so that these stay while a pool changes its
        mode.
    type: bool
    default: false
  state:
    description: V(absent) releases every address and block of the nodes, or in the ranges.
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

- name: Take them back from all nodes before a pool is deleted
  podnet.calico.calico_ipam:
    cidrs: [10.244.0.0/16]
    state: absent
"""

RETURN = r"""
changes:
  description: Blocks and addresses that were claimed or released, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: block, name: 10.244.0.0/26}]
stored:
  description:
    - A digest of each stored object by kind and name, for the option C(expected) of the next step that writes. In check
      mode that of what is stored, not of what would be.
  returned: O(expected) is given
  type: dict
  sample: {'IPPool "main"': 0c2ad10eefb1}
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.plugins.module_utils.datastore.basis import handed_on, refuse_another
from ansible_collections.podnet.calico.plugins.module_utils.datastore.connect import connect
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot, settle
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.ip import read_network
from ansible_collections.podnet.calico.plugins.module_utils.module import Module
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam
from ansible_collections.podnet.calico.plugins.module_utils.planner.pool_migration import released
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def changed(before: Snapshot, params: t.Mapping[str, t.Any]) -> Snapshot:
    """Return what is stored after the claims or releases that are asked for."""
    nodes, now = params["nodes"], time.time_ns()
    if params["state"] == "present":
        return ipam.claim(before, nodes, now=now, keep=params["keep"])
    if params["cidrs"] is None:
        return ipam.give_up(before, nodes, now=now)
    try:
        return released(before, [read_network(cidr) for cidr in params["cidrs"]])
    except ValueError as error:
        raise InvalidInput(f"release blocks: {error}", remedy="Give ranges such as 10.244.0.0/16") from error


def work(module: AnsibleModule) -> Outcome:
    """Claim or release."""
    if module.params["cidrs"] is not None and module.params["state"] == "present":
        raise InvalidInput("claim blocks: cidrs are for state absent", remedy="Give nodes, or state absent")
    params, changes = module.params, list[Change]()

    def change(stored: Snapshot) -> Snapshot:
        refuse_another("claim blocks", params["expected"], stored)
        before = put(stored, params["resources"])
        after = changed(before, params)
        changes[:] = ipam.differences(before, after)
        return ipam.only_claims(stored, after)

    before, after = settle(connect(params), change, check_mode=module.check_mode)
    return Outcome(changes, handed_on(params["expected"], before if module.check_mode else after))


def main() -> None:
    """Run the module."""
    spec = {
        "nodes": {"type": "list", "elements": "str"},
        "cidrs": {"type": "list", "elements": "str"},
        "resources": {"type": "list", "elements": "dict", "default": []},
        "expected": {"type": "dict"},
        "keep": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        **argspec.datastore(),
    }
    exclusive = [("nodes", "cidrs")]
    options = {"required_one_of": exclusive, "mutually_exclusive": exclusive}
    run(Module(argument_spec=spec, supports_check_mode=True, **options), work)


if __name__ == "__main__":
    main()
