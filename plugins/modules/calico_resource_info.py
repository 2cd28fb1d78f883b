#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read resources."""

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_resource_info
short_description: Read resources from the datastore
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Returns documents of Calico's resources in canonical form, defaults filled in.
extends_documentation_fragment:
  - podnet.calico.attributes.info
  - podnet.calico.datastore
options:
  kind:
    description: The kind to return; all kinds if not given.
    type: str
    choices:
      - ClusterInformation
      - FelixConfiguration
      - BGPConfiguration
      - IPAMConfiguration
      - IPPool
      - IPReservation
      - BGPFilter
      - Node
      - BGPPeer
      - BlockAffinity
      - IPAMBlock
      - IPAMHandle
  name:
    description: The one object to return; all objects if not given. Needs O(kind).
    type: str
seealso:
  - module: podnet.calico.calico_resources
"""

EXAMPLES = r"""
- name: Read all pools
  podnet.calico.calico_resource_info:
    kind: IPPool
  register: pools

- name: Read one node
  podnet.calico.calico_resource_info:
    kind: Node
    name: node1
"""

RETURN = r"""
resources:
  description: The documents, sorted by kind and name; none if nothing is found.
  returned: success
  type: list
  elements: dict
  sample:
    - apiVersion: projectcalico.org/v3
      kind: IPPool
      metadata: {name: main, resourceVersion: "1"}
      spec: {cidr: 10.244.0.0/16, blockSize: 26, ipipMode: Never, vxlanMode: CrossSubnet}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.converge import read_resources
from ansible_collections.podnet.calico.plugins.module_utils.module import Module
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import KINDS
from ansible_collections.podnet.calico.plugins.module_utils.runner import run

SPEC = {"kind": {"type": "str", "choices": list(KINDS)}, "name": {"type": "str"}}


def work(module: AnsibleModule) -> Outcome:
    """Read the objects that are asked for."""
    return Outcome([], {"resources": read_resources(module.params)})


def main() -> None:
    """Run the module."""
    spec = {**argspec.datastore(), **SPEC}
    run(Module(argument_spec=spec, required_by={"name": "kind"}, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
