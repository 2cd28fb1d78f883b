#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_route
short_description: Program routes into the kernel, all in one call
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Reads the kernel's routes once, compares, and applies the changes as netlink messages.
  - All routes that this module makes carry the route protocol number 98, and it changes and removes only those.
requirements:
  - pyroute2 >= 0.7.2 on the target (Debian package python3-pyroute2)
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  routes:
    description: The routes.
    type: list
    elements: dict
    required: true
    suboptions:
      destination:
        description: Network in CIDR notation, without host bits.
        type: str
        required: true
      type:
        description: V(blackhole) drops silently, V(unreachable) answers that the destination cannot be reached.
        type: str
        choices: [unicast, blackhole, unreachable]
        default: unicast
      gateway:
        description: Address of the next hop.
        type: str
      device:
        description: Name of the device that packets leave by.
        type: str
      onlink:
        description: Take the gateway as reachable through the device although no route says so.
        type: bool
        default: false
      scope:
        description: V(link) for destinations that are reached without a gateway.
        type: str
        choices: [global, link]
        default: global
      source:
        description: Preferred source address of packets from the host itself.
        type: str
      metric:
        description: Priority, the lowest wins. The kernel's default is 0 for IPv4 and 1024 for IPv6.
        type: int
      mtu:
        description: MTU of the route in bytes.
        type: int
      table:
        description: Number of the routing table; 254 is the main table.
        type: int
        default: 254
  state:
    description: Whether the routes shall exist.
    type: str
    choices: [present, absent]
    default: present
  exclusive:
    description:
      - Delete all routes of ours that are not listed, in all tables.
      - Routes to pods that belong to an endpoint of M(podnet.calico.calico_veth) stay.
    type: bool
    default: false
seealso:
  - module: podnet.calico.calico_tunnel
  - module: podnet.calico.calico_veth
"""

EXAMPLES = r"""
- name: Reach two networks through another host, and drop what is left of an own network
  podnet.calico.calico_route:
    routes:
      - {destination: 10.244.1.0/26, gateway: 192.0.2.12, device: eth0, onlink: true}
      - {destination: 10.244.2.0/26, gateway: 192.0.2.13, device: eth0, onlink: true}
      - {destination: 10.244.0.0/26, type: blackhole}

- name: Remove every route that this module ever made
  podnet.calico.calico_route:
    routes: []
    exclusive: true
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: route, name: 10.244.1.0/26}]
surplus:
  description: Names of routes of ours that are not listed; they stay unless O(exclusive=true).
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.kernel.listing import converge, listing
from ansible_collections.podnet.calico.plugins.module_utils.kernel.routes import ensure
from ansible_collections.podnet.calico.plugins.module_utils.runner import run

ROUTE = {
    "destination": {"type": "str", "required": True},
    "type": {"type": "str", "choices": ["unicast", "blackhole", "unreachable"], "default": "unicast"},
    "gateway": {"type": "str"},
    "device": {"type": "str"},
    "onlink": {"type": "bool", "default": False},
    "scope": {"type": "str", "choices": ["global", "link"], "default": "global"},
    "source": {"type": "str"},
    "metric": {"type": "int"},
    "mtu": {"type": "int"},
    "table": {"type": "int", "default": 254},
}


def work(module: AnsibleModule) -> Outcome:
    """Bring the routes in line with the options."""
    return converge(module, "routes", ensure)


def main() -> None:
    """Run the module."""
    run(AnsibleModule(argument_spec=listing("routes", ROUTE), supports_check_mode=True), work)


if __name__ == "__main__":
    main()
