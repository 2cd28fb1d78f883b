#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage many resources at once."""

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_resources
short_description: Manage many resources at once, from documents as calicoctl prints them
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Brings documents of Calico's resources into the datastore, or takes them out of it.
  - All documents are checked, alone and against each other and against what is stored, before anything is written.
  - Each document replaces the stored one as a whole; what it does not say gets Calico's default.
extends_documentation_fragment:
  - podnet.calico.attributes
  - podnet.calico.datastore
options:
  documents:
    description:
      - The documents, with C(apiVersion), C(kind), C(metadata) and C(spec); lists of them, as C(calicoctl get -o yaml)
        and C(kubectl get -o yaml) print them; or empty ones, which do not count.
      - Kinds are IPPool, Node, BGPPeer, BGPConfiguration, BGPFilter, IPReservation, FelixConfiguration,
        ClusterInformation, IPAMConfiguration, IPAMBlock, BlockAffinity and IPAMHandle.
      - With O(state=absent), kind and name suffice.
    type: list
    elements: raw
    required: true
  match_revisions:
    description:
      - Whether a document that names C(metadata.resourceVersion) replaces only an object that is stored with it.
      - Otherwise the field is information of the datastore that the document came from, and does not count.
    type: bool
    default: false
  state:
    description: Whether the documents are to be stored, or gone.
    type: str
    choices: [present, absent]
    default: present
  prune:
    description:
      - Gives the documents the label C(podnet.calico/managed=true), and deletes what carries it and is not among them.
      - So one datastore has one such list. Objects without the label are never deleted.
    type: bool
    default: false
  prune_marked:
    description:
      - Deletes what carries the label C(podnet.calico/managed) with this value and is not among the documents, which
        bring the label themselves. Roles use it for peers and filters that have gone from the inventory.
    type: str
    default: ""
  expected:
    description:
      - What is stored as far as the caller knows, RV(podnet.calico.calico_plan#module:stored) or RV(stored) of another
        step. Nothing is written where another run has changed it since then.
      - Without O(documents) this tells whether a plan still holds.
    type: dict
seealso:
  - module: podnet.calico.calico_plan
  - module: podnet.calico.calico_resource_info
"""

EXAMPLES = r"""
- name: Have exactly these resources
  podnet.calico.calico_resources:
    prune: true
    documents:
      - apiVersion: projectcalico.org/v3
        kind: IPPool
        metadata:
          name: main
        spec:
          cidr: 10.244.0.0/16
          vxlanMode: CrossSubnet
      - apiVersion: projectcalico.org/v3
        kind: BGPConfiguration
        metadata:
          name: default
        spec:
          nodeToNodeMeshEnabled: false

- name: Take over what calicoctl printed
  podnet.calico.calico_resources:
    documents: "{{ lookup('ansible.builtin.file', 'exported.yaml') | from_yaml_all }}"
"""

RETURN = r"""
resources:
  description: The documents in canonical form, in the order given; none that is absent.
  returned: success
  type: list
  elements: dict
  sample:
    - apiVersion: projectcalico.org/v3
      kind: IPPool
      metadata: {name: main, resourceVersion: "1"}
      spec: {cidr: 10.244.0.0/16, blockSize: 26, ipipMode: Never, vxlanMode: CrossSubnet}
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: IPPool, name: main}]
stored:
  description:
    - A digest of each stored object by kind and name, for the option C(expected) of the next step that writes. In check
      mode that of what is stored, not of what would be.
  returned: O(expected) is given
  type: dict
  sample: {'IPPool "main"': 0c2ad10eefb1}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.converge import converge_many
from ansible_collections.podnet.calico.plugins.module_utils.module import Module
from ansible_collections.podnet.calico.plugins.module_utils.runner import run

SPEC = {
    "documents": {"type": "list", "elements": "raw", "required": True},
    "match_revisions": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "prune": {"type": "bool", "default": False},
    "prune_marked": {"type": "str", "default": ""},
    "expected": {"type": "dict"},
}


def work(module: AnsibleModule) -> Outcome:
    """Make the documents present or absent."""
    return converge_many(module)


def main() -> None:
    """Run the module."""
    run(Module(argument_spec={**argspec.datastore(), **SPEC}, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
