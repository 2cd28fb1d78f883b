#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_pod_mtu
short_description: Set the MTU of pods that run already
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Sets the MTU on both ends of the veth pairs of pods, whoever made them, M(podnet.calico.calico_veth) or a CNI plugin
    such as C(ptp). Pods are found by the routes that lead to single addresses in the O(cidrs).
  - New pods get theirs from the container runtime's network, which the role C(cni) writes.
  - A pod that goes meanwhile is no error. Connections that were made with a larger MTU go on by path MTU discovery.
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  cidrs:
    description: The ranges of the pods, such as the node's own blocks.
    type: list
    elements: str
    required: true
  mtu:
    description: The MTU in bytes; at least 1280 where pods have IPv6 addresses.
    type: int
    required: true
  at_most:
    description: Leave a smaller MTU as it is. So a change of the encapsulation shrinks before it, and grows after it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Make room for the overhead of VXLAN in pods that run
  podnet.calico.calico_pod_mtu:
    cidrs: "{{ plan_of_node.blocks }}"
    mtu: 1450
    at_most: true
"""

RETURN = r"""
changes:
  description: Pods whose MTU was set, or would be in check mode, by the host's end of their link.
  returned: success
  type: list
  elements: dict
  sample: [{action: replace, kind: pod, name: cali0123456789a}]
pods:
  description: How many pods there are in the ranges.
  returned: success
  type: int
  sample: 12
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.kernel.pod_mtu import ensure
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Set the MTU of the pods."""
    options = {key: module.params[key] for key in ("cidrs", "mtu", "at_most")}
    return ensure(**options, check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {
        "cidrs": {"type": "list", "elements": "str", "required": True},
        "mtu": {"type": "int", "required": True},
        "at_most": {"type": "bool", "default": False},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
