#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_aws_source_dest_check
short_description: Let pods' packets pass between instances of Amazon EC2
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Switches the check of source and destination off on the network interfaces of the nodes if one of the
    O(encapsulations) sends packets with pods' addresses, and lets what they need pass between the members of the nodes'
    security group (IP protocol 4, UDP 4789, TCP 179). One call is for all instances of a region.
  - An interface whose check was on is tagged C(podnet.calico/source-dest-check=enabled) before it is switched off. With
    O(state=absent) exactly those are switched on again, the tag is deleted, and so are rules of security groups whose
    description begins with C(podnet.calico). What others switched off or opened stays.
  - Encapsulations that need less than those before leave what is there, so that both work while a cluster changes from
    one to the other; O(purge=true) takes it back afterwards.
  - Runs where boto3 is, as a rule on the control machine. In check mode each change is asked for with C(DryRun), so
    that a permission that is missing is found as well.
requirements:
  - boto3
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  instances:
    description: The instances of the nodes.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Id of the instance.
        type: str
        required: true
      addresses:
        description:
          - Private IPv4 addresses of the node, with or without prefix length. Only interfaces that have one of them
            carry pods' packets. Without any, all interfaces of the instance do.
        type: list
        elements: str
        default: []
  encapsulations:
    description: The encapsulations of the pools. Needed unless O(state=absent).
    type: list
    elements: str
    choices: ['None', IPIP, IPIPCrossSubnet, VXLAN, VXLANCrossSubnet]
  bgp:
    description: Whether nodes have BGP sessions. V(auto) for whenever an encapsulation does without VXLAN.
    type: str
    choices: [auto, enabled, disabled]
    default: auto
  bgp_port:
    description: TCP port of BGP.
    type: int
    default: 179
  rules:
    description: Whether to look after rules of the security group. Rules of others that let enough pass are left alone.
    type: bool
    default: true
  security_group:
    description: Id of the security group that all nodes are in. Needed where there are several.
    type: str
  purge:
    description: Take back what is ours and the encapsulations do not need.
    type: bool
    default: false
  region:
    description: Region of the instances. Without it what boto3 finds in environment or configuration.
    type: str
  profile:
    description: Profile of boto3's configuration.
    type: str
  endpoint_url:
    description: Another place of the interface of EC2, such as a VPC endpoint.
    type: str
  state:
    description: Whether the instances are to carry pods' packets, or all is taken back.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: podnet.calico.calico_cloud_info
"""

EXAMPLES = r"""
- name: Let pods' packets pass
  podnet.calico.calico_aws_source_dest_check:
    region: eu-central-1
    instances:
      - {id: i-0123456789abcdef0, addresses: [192.0.2.11]}
      - {id: i-0123456789abcdef1, addresses: [192.0.2.12]}
    encapsulations: [VXLANCrossSubnet]
  delegate_to: localhost
  run_once: true

- name: Take it back
  podnet.calico.calico_aws_source_dest_check:
    region: eu-central-1
    instances:
      - id: i-0123456789abcdef0
      - id: i-0123456789abcdef1
    state: absent
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
changes:
  description: Checks, tags and rules that were changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: replace, kind: source/destination check, name: eni-0123456789abcdef0 of i-0123456789abcdef0}]
interfaces:
  description: The interfaces that carry pods' packets, as they are after the run.
  returned: success
  type: list
  elements: dict
  sample: [{id: eni-0123456789abcdef0, instance: i-0123456789abcdef0, source_dest_check: false}]
security_group:
  description: Id of the group whose rules were looked at; empty if none were.
  returned: success
  type: str
  sample: sg-0123456789abcdef0
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cloud.aws import Task, ensure, nodes_of
from ansible_collections.podnet.calico.plugins.module_utils.cloud.aws_client import Account
from ansible_collections.podnet.calico.plugins.module_utils.cloud.aws_plan import wanted
from ansible_collections.podnet.calico.plugins.module_utils.runner import run

MODES = ["None", "IPIP", "IPIPCrossSubnet", "VXLAN", "VXLANCrossSubnet"]
INSTANCE = {
    "id": {"type": "str", "required": True},
    "addresses": {"type": "list", "elements": "str", "default": []},
}


def work(module: AnsibleModule) -> Outcome:
    """Bring EC2 in line."""
    params = module.params
    present = params["state"] == "present"
    task = Task(
        nodes_of(params["instances"]),
        wanted(params["encapsulations"], params["bgp"], params["bgp_port"]) if present else None,
        params["rules"],
        params["security_group"] or "",
        params["purge"],
    )
    account = Account(*(params[option] or "" for option in ("region", "profile", "endpoint_url")))
    return ensure(account, task, check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {
        "instances": {"type": "list", "elements": "dict", "required": True, "options": INSTANCE},
        "encapsulations": {"type": "list", "elements": "str", "choices": MODES},
        "bgp": {"type": "str", "choices": ["auto", "enabled", "disabled"], "default": "auto"},
        "bgp_port": {"type": "int", "default": 179},
        "rules": {"type": "bool", "default": True},
        "security_group": {"type": "str"},
        "purge": {"type": "bool", "default": False},
        "region": {"type": "str"},
        "profile": {"type": "str"},
        "endpoint_url": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    required = [("state", "present", ["encapsulations"])]
    run(AnsibleModule(argument_spec=spec, required_if=required, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
