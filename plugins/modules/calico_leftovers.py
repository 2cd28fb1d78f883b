#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_leftovers
short_description: Prove that nothing names a node any more
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Looks for what is left of a node that was removed, and fails naming each of it. Changes nothing.
  - On a host that is routes to its blocks, routes of the collection and of BIRD by or to its addresses, permanent
    neighbours and forwarding entries (FDB), elements of our nftables sets, lines of BIRD's configuration and of our
    description for the container runtime, and sessions of the running BIRD.
  - In the datastore that is every document that names the node, one of its addresses or one of its blocks.
extends_documentation_fragment:
  - podnet.calico.attributes.info
  - podnet.calico.datastore
options:
  name:
    description: Name of the node.
    type: str
    required: true
  addresses:
    description: Addresses of the node, on the underlay and of its tunnels; a prefix length is left out of account.
    type: list
    elements: str
    default: []
  cidrs:
    description: The blocks that it had, and single addresses of other nodes' blocks that it held (CIDR).
    type: list
    elements: str
    default: []
  places:
    description: Where to look, on the host that runs the module, in the O(datastore), or both.
    type: list
    elements: str
    choices: [host, datastore]
    default: [host]
  bird_config:
    description: BIRD's configuration file.
    type: path
    default: /etc/bird/podnet-calico.conf
  cni_config_dir:
    description: Directory of the container runtime's networks; files with C(podnet-calico) in their names are read.
    type: path
    default: /etc/cni/net.d
  wait:
    description: Seconds that BIRD and the kernel may take until nothing is left.
    type: float
    default: 0
seealso:
  - module: podnet.calico.calico_ipam
"""

EXAMPLES = r"""
- name: Prove that node3 is gone
  podnet.calico.calico_leftovers:
    name: node3
    addresses: [192.0.2.13, 10.244.104.0]
    cidrs: [10.244.104.0/26]
"""

RETURN = r"""
leftovers:
  description: What still names the node.
  returned: always
  type: list
  elements: dict
  sample: [{kind: route, text: 10.244.104.0/26 via 192.0.2.13 dev eth0 onlink}]
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.connect import connect
from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import snapshot
from ansible_collections.podnet.calico.plugins.module_utils.module import Module
from ansible_collections.podnet.calico.plugins.module_utils.planner.removal import naming
from ansible_collections.podnet.calico.plugins.module_utils.runner import run
from ansible_collections.podnet.calico.plugins.module_utils.verify.leftovers import Leftover, Traces, on_host


def look(params: t.Mapping[str, t.Any]) -> list[Leftover]:
    """Return what names the node, in the places that are asked for."""
    traces = Traces(params["name"], params["addresses"], params["cidrs"])
    found = on_host(traces, params["bird_config"], params["cni_config_dir"]) if "host" in params["places"] else []
    if "datastore" in params["places"]:
        documents = snapshot(connect(params)).values()
        addresses = [str(address) for address in traces.addresses]
        found += [Leftover("document", text) for text in naming(documents, traces.name, addresses, params["cidrs"])]
    return found


def work(module: AnsibleModule) -> Outcome:
    """Look until nothing is left, or the time is over."""
    deadline = time.monotonic() + module.params["wait"]
    found = look(module.params)
    while found and time.monotonic() < deadline:
        time.sleep(0.2)
        found = look(module.params)
    facts = {"leftovers": [leftover._asdict() for leftover in found]}
    if found:
        lines = [f"  {leftover.kind}: {leftover.text}" for leftover in found]
        module.fail_json(msg="\n".join([f"{len(found)} things name {module.params['name']} still:", *lines]), **facts)
    return Outcome([], facts)


def main() -> None:
    """Run the module."""
    spec = {
        "name": {"type": "str", "required": True},
        "addresses": {"type": "list", "elements": "str", "default": []},
        "cidrs": {"type": "list", "elements": "str", "default": []},
        "places": {"type": "list", "elements": "str", "choices": ["host", "datastore"], "default": ["host"]},
        "bird_config": {"type": "path", "default": "/etc/bird/podnet-calico.conf"},
        "cni_config_dir": {"type": "path", "default": "/etc/cni/net.d"},
        "wait": {"type": "float", "default": 0},
        **argspec.datastore(),
    }
    run(Module(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
