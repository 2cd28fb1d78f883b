#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_google_instance
short_description: Let pods' packets pass between instances of Google Cloud
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Lets what the O(encapsulations) need pass between the members of the nodes' network tag (IP protocol 4, UDP 4789,
    TCP 179, and all from pods' addresses where those are not encapsulated), by rules of the network's firewall.
  - Allows the nodes to forward (C(canIpForward)) if one of the O(encapsulations) is V(None). The modes CrossSubnet
    encapsulate between all nodes on Google Cloud. That is half of what V(None) needs; the VPC has to have a route to
    each block of pods as well, which this module does not see to. Instances go on running.
  - An instance that could not forward gets the label C(podnet-calico-can-ip-forward=off) before. With O(state=absent)
    exactly those are forbidden it again, the label is deleted, and so are firewall rules whose description begins with
    C(podnet.calico).
  - Encapsulations that need less than those before leave what is there, so that both work while a cluster changes from
    one to the other; O(purge=true) takes it back afterwards.
  - Rules of others that allow enough count; rules that deny are not looked at.
  - Runs where google-auth is, as a rule on the control machine. Credentials are found as google-auth does.
requirements:
  - google-auth
  - requests
extends_documentation_fragment:
  - podnet.calico.attributes
  - podnet.calico.cloud
  - podnet.calico.cloud.rules
options:
  machines:
    description: The instances of the nodes.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Name of the instance with project and zone, C(projects/PROJECT/zones/ZONE/instances/NAME).
        type: str
        required: true
      addresses:
        description: Private addresses of the node, with or without prefix length; they tell its network.
        type: list
        elements: str
        default: []
  pools:
    description: The ranges of pods whose packets are not encapsulated, at least between some nodes. Needed unless
      O(state=absent).
    type: list
    elements: str
  network_tag:
    description: Network tag that all nodes have. Needed where there are several.
    type: str
  endpoint_url:
    description:
      - Compute Engine, where it is not C(https://compute.googleapis.com/compute/v1), such as a private endpoint.
    type: str
seealso:
  - module: podnet.calico.calico_cloud_info
"""

EXAMPLES = r"""
- name: Let pods' packets pass
  podnet.calico.calico_google_instance:
    machines:
      - {id: projects/mine/zones/europe-west1-b/instances/node1, addresses: [192.0.2.11]}
      - {id: projects/mine/zones/europe-west1-c/instances/node2, addresses: [192.0.2.12]}
    pools: [10.244.0.0/16]
    encapsulations: [VXLAN]
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
changes:
  description: Instances, labels and firewall rules that were changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: firewall rule, name: podnet-calico-0123456789-udp-4789 UDP 4789}]
instances:
  description: The instances as they are after the run.
  returned: success
  type: list
  elements: dict
  sample: [{id: projects/mine/zones/europe-west1-b/instances/node1, can_ip_forward: false}]
network_tag:
  description: The network tag whose rules were looked at; empty if none were.
  returned: success
  type: str
  sample: nodes
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cloud import needs
from ansible_collections.podnet.calico.plugins.module_utils.cloud.google import Task, ensure, wanted
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Bring Google Cloud in line."""
    params = module.params
    task = Task(
        needs.machines_of("machines", params["machines"]),
        needs.pools_of(params["pools"] or []),
        wanted(params),
        params["rules"],
        params["network_tag"] or "",
        params["purge"],
    )
    return ensure(params["endpoint_url"] or "", task, check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {
        "machines": argspec.machines(named=True),
        "pools": {"type": "list", "elements": "str"},
        "network_tag": {"type": "str"},
        "endpoint_url": {"type": "str"},
        **argspec.cloud(),
        **argspec.cloud_rules(),
    }
    required = [("state", "present", ["encapsulations", "pools"])]
    run(AnsibleModule(argument_spec=spec, required_if=required, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
