#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_veth
short_description: Connect network namespaces to the host as Calico connects pods
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Makes a veth pair per pod as Calico's CNI plugin does. The host's end is named C(cali…), has the MAC
    ee:ee:ee:ee:ee:ee, proxy ARP and a route to the pod's address; in the pod a default route leads through 169.254.1.1.
  - A permanent neighbour entry in the pod makes it work on hosts without a default route too.
  - An endpoint that cannot be finished is removed again. Endpoints of ours carry a link alias.
  - What differs is repaired in place, so that the pod's connections live on; an endpoint is made anew only if one of
    its ends is missing or belongs elsewhere.
requirements:
  - Linux 5.0 or later; no library beside Python's own
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  endpoints:
    description: The endpoints.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The workload, C(namespace.pod). The name of the host's end is made from it as Calico does.
        type: str
        required: true
      netns:
        description:
          - Name or whole path of the pod's network namespace. The default is O(endpoints[].name).
          - A named namespace that does not exist is made, and removed with the endpoint.
        type: str
      pid:
        description: Number of a process that lives in the pod's network namespace, instead of O(endpoints[].netns).
        type: int
      addresses:
        description: Addresses of the pod, IPv4 and IPv6.
        type: list
        elements: str
        default: []
      mtu:
        description: MTU of both ends in bytes.
        type: int
        default: 1500
      interface:
        description: Name of the pod's end.
        type: str
        default: eth0
      host_interface:
        description: Name of the host's end, if it shall not be the one that Calico would give it.
        type: str
      mac:
        description: MAC of the pod's end. The kernel chooses one by default.
        type: str
  state:
    description: Whether the endpoints shall exist.
    type: str
    choices: [present, absent]
    default: present
  exclusive:
    description: Remove all endpoints of ours that are not listed.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Two pods on this host
  podnet.calico.calico_veth:
    endpoints:
      - {name: shop.web-0, addresses: [10.244.0.5], mtu: 1450}
      - {name: shop.web-1, addresses: [10.244.0.6], mtu: 1450}

- name: Connect the namespace of a running process
  podnet.calico.calico_veth:
    endpoints:
      - {name: lab.server, pid: 4711, addresses: [10.244.0.7, "fd00::7"]}

- name: Namespaces to test with, reachable from this host, without anything else of this collection
  podnet.calico.calico_veth:
    endpoints:
      - {name: test.client, addresses: [198.51.100.1]}
      - {name: test.server, addresses: [198.51.100.2]}

- name: Take them away again, with their namespaces
  podnet.calico.calico_veth:
    endpoints:
      - {name: test.client}
      - {name: test.server}
    state: absent
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode; the first 100.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: endpoint, name: calia4fc3c48bd8}]
summary:
  description: How many changes there are.
  returned: success
  type: dict
  sample: {create: 1, replace: 0, delete: 0}
endpoints:
  description: The endpoints asked for, with the name of the host's end.
  returned: success
  type: list
  elements: dict
  sample: [{name: shop.web-0, host_interface: calia4fc3c48bd8}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoints import ensure
from ansible_collections.podnet.calico.plugins.module_utils.kernel.listing import listing
from ansible_collections.podnet.calico.plugins.module_utils.runner import run

ENDPOINT = {
    "name": {"type": "str", "required": True},
    "netns": {"type": "str"},
    "pid": {"type": "int"},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "mtu": {"type": "int", "default": 1500},
    "interface": {"type": "str", "default": "eth0"},
    "host_interface": {"type": "str"},
    "mac": {"type": "str"},
}


def work(module: AnsibleModule) -> Outcome:
    """Bring the endpoints in line with the options."""
    params = module.params
    return ensure(
        params["endpoints"],
        state=params["state"],
        exclusive=params["exclusive"],
        check_mode=module.check_mode,
    )


def main() -> None:
    """Run the module."""
    run(AnsibleModule(argument_spec=listing("endpoints", ENDPOINT), supports_check_mode=True), work)


if __name__ == "__main__":
    main()
