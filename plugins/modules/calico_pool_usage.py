#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_pool_usage
short_description: See which pods of a host live in a pool
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Returns the pods that have addresses in some ranges, by the kernel's routes to single addresses, and the ranges from
    which the container runtime's network gives addresses to new pods. Changes nothing.
  - What the CNI plugin C(host-local) has noted says which container it is, and no more; a note without a route counts
    for nothing.
extends_documentation_fragment:
  - podnet.calico.attributes.info
options:
  cidrs:
    description: The range of the pool, or several ranges.
    type: list
    elements: str
    required: true
  cni_config_dir:
    description: Directory of the container runtime's networks; files with C(podnet-calico) in their names are read.
    type: path
    default: /etc/cni/net.d
  cni_lease_dir:
    description: Directory of the notes of C(host-local).
    type: path
    default: /run/podnet-calico/cni
"""

EXAMPLES = r"""
- name: Which pods have addresses of the old pool?
  podnet.calico.calico_pool_usage:
    cidrs: [10.244.0.0/16]
  register: usage
"""

RETURN = r"""
pods:
  description: The pods, with an entry for each address.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: The pod's address.
      type: str
      sample: 10.244.166.131
    device:
      description: The host's end of its link.
      type: str
      sample: veth1b2c3d4e
    name:
      description: The workload's name, or what C(host-local) calls the container; empty if neither is known.
      type: str
      sample: container 8a1f2b3c4d5e
ranges:
  description: Ranges within O(cidrs) from which new pods get addresses.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.cni import networks
from ansible_collections.podnet.calico.plugins.module_utils.cni.conflist import LEASES
from ansible_collections.podnet.calico.plugins.module_utils.kernel import pods
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import home
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def described(pod: pods.Pod, leases: t.Mapping[str, str]) -> t.Iterator[dict[str, str]]:
    """Yield each address of a pod with its device and name."""
    workload = (home(pod.link) or ("", ""))[0]
    for address in pod.addresses:
        yield {"address": address, "device": pod.link.name, "name": workload or leases.get(address, "")}


def work(module: AnsibleModule) -> Outcome:
    """Look at routes, then at what the CNI plugins wrote."""
    cidrs = pods.ranges(module.params["cidrs"], "look for pods")
    with Netlink() as netlink:
        found = pods.read(netlink, cidrs)
    leases = networks.leases(module.params["cni_lease_dir"])
    facts = {
        "pods": [entry for pod in found for entry in described(pod, leases)],
        "ranges": networks.ranges_within(module.params["cni_config_dir"], cidrs),
    }
    return Outcome([], facts)


def main() -> None:
    """Run the module."""
    spec = {
        "cidrs": {"type": "list", "elements": "str", "required": True},
        "cni_config_dir": {"type": "path", "default": "/etc/cni/net.d"},
        "cni_lease_dir": {"type": "path", "default": LEASES},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
