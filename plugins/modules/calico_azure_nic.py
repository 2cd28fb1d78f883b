#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_azure_nic
short_description: Let pods' packets pass through NICs of Azure
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Switches IP forwarding on for the NICs of the nodes if one of the O(encapsulations) sends packets with pods'
    addresses. That is half of what these need on Azure; the subnet's route table has to lead each block of pods to its
    node as well, which this module does not see to.
  - A NIC whose IP forwarding was off gets the tag C(podnet.calico.ip-forwarding=off). With O(state=absent) exactly
    those are switched off again, and the tag is deleted.
  - Encapsulations that need less than those before leave what is there, so that both work while a cluster changes from
    one to the other; O(purge=true) takes it back afterwards.
  - NICs of scale sets with uniform orchestration are no resources of their own, so they are not found; IP forwarding is
    set in the model of the set.
  - Runs where Azure's libraries are, as a rule on the control machine. Credentials are found as azure-identity does.
requirements:
  - azure-identity
  - azure-mgmt-network
extends_documentation_fragment:
  - podnet.calico.attributes
  - podnet.calico.cloud
options:
  machines:
    description: The virtual machines of the nodes.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Resource id of the machine, as C(az vm show --query id) prints it.
        type: str
        required: true
      addresses:
        description:
          - Private addresses of the node, with or without prefix length. Only NICs that have one of them carry pods'
            packets. Without any, all NICs of the machine do.
        type: list
        elements: str
        default: []
  endpoint_url:
    description: Azure's Resource Manager, where it is not C(https://management.azure.com), as in national clouds.
    type: str
seealso:
  - module: podnet.calico.calico_cloud_info
"""

EXAMPLES = r"""
- name: Let pods' packets pass
  podnet.calico.calico_azure_nic:
    machines:
      - id: "{{ group_id }}/providers/Microsoft.Compute/virtualMachines/node1"
        addresses: [192.0.2.11]
    encapsulations: [VXLANCrossSubnet]
  vars:
    group_id: /subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/mine
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
changes:
  description: NICs that were changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: replace, kind: IP forwarding, name: node1-nic of node1}]
nics:
  description: The NICs that carry pods' packets, as they are after the run; ids are in lower case.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Resource id of the NIC.
      type: str
    machine:
      description: Resource id of the machine.
      type: str
    ip_forwarding:
      description: Whether IP forwarding is on.
      type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cloud import needs
from ansible_collections.podnet.calico.plugins.module_utils.cloud.azure import Task, ensure
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Bring NICs in line."""
    params = module.params
    task = Task(needs.machines_of("machines", params["machines"]), needs.of_options(params), params["purge"])
    return ensure(params["endpoint_url"] or "", task, check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {"machines": argspec.machines(named=True), "endpoint_url": {"type": "str"}, **argspec.cloud()}
    required = [("state", "present", ["encapsulations"])]
    run(AnsibleModule(argument_spec=spec, required_if=required, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
