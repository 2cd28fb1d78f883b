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
  - podnet.calico.cloud
  - podnet.calico.cloud.rules
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
  security_group:
    description: Id of the security group that all nodes are in. Needed where there are several.
    type: str
  region:
    description: Region of the instances. Without it what boto3 finds in environment or configuration.
    type: str
  profile:
    description: Profile of boto3's configuration.
    type: str
  endpoint_url:
    description: Another place of the interface of EC2, such as a VPC endpoint.
    type: str
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

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cloud import needs
from ansible_collections.podnet.calico.plugins.module_utils.cloud.aws import Task, ensure, nodes_of
from ansible_collections.podnet.calico.plugins.module_utils.cloud.aws_client import Account
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Bring EC2 in line."""
    params = module.params
    task = Task(
        nodes_of(params["instances"]),
        needs.of_options(params),
        params["rules"],
        params["security_group"] or "",
        params["purge"],
    )
    account = Account(*(params[option] or "" for option in ("region", "profile", "endpoint_url")))
    return ensure(account, task, check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {
        "instances": argspec.machines(named=True),
        "security_group": {"type": "str"},
        "region": {"type": "str"},
        "profile": {"type": "str"},
        "endpoint_url": {"type": "str"},
        **argspec.cloud(),
        **argspec.cloud_rules(),
    }
    required = [("state", "present", ["encapsulations"])]
    run(AnsibleModule(argument_spec=spec, required_if=required, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
