#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_openstack_port
short_description: Let pods' packets pass between servers of OpenStack
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Makes the O(pools) allowed address pairs of the nodes' Neutron ports if one of the O(encapsulations) sends packets
    with pods' addresses, and lets what they need pass between the members of the nodes' security group (IP protocol 4,
    UDP 4789, TCP 179, and all from pods' addresses where those are not encapsulated). One call is for all servers of a
    region.
  - A port without port security needs none of this and stays as it is. So does what the pairs of others let pass.
  - A pair that is added is noted before in a tag of the port, such as C(podnet.calico:10.244.0.0_16). With
    O(state=absent) exactly those pairs and tags are taken away, and rules whose description begins with
    C(podnet.calico).
  - Encapsulations that need less than those before leave what is there, so that both work while a cluster changes from
    one to the other; O(purge=true) takes it back afterwards.
  - Runs where openstacksdk is, as a rule on the control machine. Its environment and C(clouds.yaml) tell the
    credentials.
requirements:
  - openstacksdk
extends_documentation_fragment:
  - podnet.calico.attributes
  - podnet.calico.cloud
  - podnet.calico.cloud.rules
options:
  servers:
    description: The servers of the nodes.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Id of the server. Without it the port is found by its address.
        type: str
        default: ''
      addresses:
        description:
          - Addresses of the node, with or without prefix length. Only ports that have one of them carry pods' packets.
            Without any, all ports of the server do.
        type: list
        elements: str
        default: []
  pools:
    description: The ranges of pods whose packets are not encapsulated, at least between some nodes. Needed unless
      O(state=absent).
    type: list
    elements: str
  security_group:
    description: Id of the security group that all nodes are in. Needed where there are several.
    type: str
  cloud:
    description: Name of a cloud in C(clouds.yaml). Without it what openstacksdk finds in environment or configuration.
    type: str
  region:
    description: Region of the servers. Without it that of the cloud.
    type: str
seealso:
  - module: podnet.calico.calico_cloud_info
"""

EXAMPLES = r"""
- name: Let pods' packets pass
  podnet.calico.calico_openstack_port:
    cloud: mine
    servers:
      - {id: 7a5e3b1c-0000-4000-8000-000000000001, addresses: [192.0.2.11]}
      - addresses: [192.0.2.12]
    pools: [10.244.0.0/16]
    encapsulations: [VXLANCrossSubnet]
  delegate_to: localhost
  run_once: true

- name: Take it back
  podnet.calico.calico_openstack_port:
    cloud: mine
    servers:
      - addresses: [192.0.2.11]
      - addresses: [192.0.2.12]
    state: absent
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
changes:
  description: Pairs, tags and rules that were changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample:
    - action: create
      kind: allowed address pair
      name: 5e1d7c2a-0000-4000-8000-000000000001 (192.0.2.11) 10.244.0.0/16
ports:
  description: The ports that carry pods' packets, as they are after the run.
  returned: success
  type: list
  elements: dict
  sample:
    - id: 5e1d7c2a-0000-4000-8000-000000000001
      server: 7a5e3b1c-0000-4000-8000-000000000001
      addresses: [192.0.2.11]
      port_security: true
      allowed: [10.244.0.0/16]
security_group:
  description: Id of the group whose rules were looked at; empty if none were.
  returned: success
  type: str
  sample: 0d9f4b6e-0000-4000-8000-000000000001
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cloud import needs
from ansible_collections.podnet.calico.plugins.module_utils.cloud.openstack import Task, ensure
from ansible_collections.podnet.calico.plugins.module_utils.cloud.openstack_client import Account
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Bring OpenStack in line."""
    params = module.params
    task = Task(
        needs.machines_of("servers", params["servers"]),
        needs.pools_of(params["pools"] or []),
        needs.of_options(params),
        params["rules"],
        params["security_group"] or "",
        params["purge"],
    )
    account = Account(params["cloud"] or "", params["region"] or "")
    return ensure(account, task, check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {
        "servers": argspec.machines(),
        "pools": {"type": "list", "elements": "str"},
        "security_group": {"type": "str"},
        "cloud": {"type": "str"},
        "region": {"type": "str"},
        **argspec.cloud(),
        **argspec.cloud_rules(),
    }
    required = [("state", "present", ["encapsulations", "pools"])]
    run(AnsibleModule(argument_spec=spec, required_if=required, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
