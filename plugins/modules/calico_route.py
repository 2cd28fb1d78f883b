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
  - Reads the kernel's routes of ours once, compares, and applies the changes as few netlink messages. A hundred
    thousand routes take about a second.
  - All routes that this module makes carry the route protocol number 98, and it changes and removes only those.
  - New and changed routes come first, each change as one message, so a destination is never without a route; routes
    are deleted only if all others could be made.
requirements:
  - Linux; no library beside Python's own
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  routes:
    description:
      - The routes. Exactly one of O(routes) and O(src) is needed.
      - Many routes that differ in nothing but the destination are one entry with O(routes[].destinations). Ansible
        takes seconds for ten thousand entries, and next to nothing for one entry with ten thousand destinations.
    type: list
    elements: dict
    suboptions:
      destination:
        description: Network in CIDR notation, without host bits.
        type: str
      destinations:
        description: Networks, instead of O(routes[].destination).
        type: list
        elements: str
      type:
        description: V(blackhole) drops silently, V(unreachable) answers that the destination cannot be reached.
        type: str
        choices: [unicast, blackhole, unreachable]
        default: unicast
      gateway:
        description: Address of the next hop.
        type: str
      device:
        description: Name of the device that packets leave by. By default the kernel finds it by the gateway.
        type: str
      onlink:
        description: Take the gateway as reachable through the device although no route says so.
        type: bool
        default: false
      next_hops:
        description: Several ways, used by weight (multipath), instead of gateway, device and onlink.
        type: list
        elements: dict
        suboptions:
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
          weight:
            description: Share of the traffic, from 1 to 256.
            type: int
            default: 1
      scope:
        description: V(link) for destinations that are reached without a gateway. IPv6 has none.
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
  src:
    description:
      - Path of a file on the target, with the routes as JSON. It is a list in the form of O(routes).
      - This is the quickest way to hand over many routes.
    type: path
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
  take_over:
    description:
      - Replace routes of others that have destination, metric and table of a listed route; they are ours from then on.
      - By default such a route is an error that shows it. For IPv6 this is so beside a route of ours as well; legs that
        somebody else has appended to one of ours go in any case, since the kernel shows them as ours.
    type: bool
    default: false
  confirm:
    description:
      - Takes the change on trial. Targets are pinged after it, and unless all of them answer all requests, the routes
        of ours that were there before are put back, and the module fails with what was lost.
      - A process of its own does that, which outlives the module. So the routes are back, too, if the module or the
        connection to the host dies in between, or if the proof takes longer than a minute.
      - Routes to pods are left alone. Not together with O(take_over).
    type: dict
    suboptions:
      targets:
        description:
          - The addresses to ping, as O(podnet.calico.calico_ping#module:targets). An empty list proves nothing.
        type: list
        elements: dict
        required: true
        suboptions:
          name:
            description: What to call the target in messages.
            type: str
            required: true
          address:
            description: The address.
            type: str
            required: true
          pool:
            description: The pool that the address is from; returned with the result.
            type: str
          expected:
            description: The encapsulation that packets shall have on the wire, V(None), V(IPIP) or V(VXLAN).
            type: str
          netns:
            description: The network namespace to ping from, if not O(confirm.netns).
            type: str
          answer_to:
            description: As O(podnet.calico.calico_ping#module:targets[].answer_to).
            type: str
          count:
            description: Echo requests for this target, if not 10.
            type: int
          wait:
            description: Seconds to wait for this target's first answer, if not O(confirm.wait).
            type: float
      netns:
        description: Name or path of the network namespace to ping from. Needed unless every target has its own.
        type: str
      device:
        description: The underlay device, on which packets are watched.
        type: str
        required: true
      wait:
        description: Seconds that the network may take until every target has answered once; not counted.
        type: float
        default: 5
seealso:
  - module: podnet.calico.calico_ping
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

- name: Many networks through one router, and nothing else of ours in any table
  podnet.calico.calico_route:
    routes:
      - destinations: "{{ branch_networks }}"
        gateway: 198.51.100.1
        metric: 50
    exclusive: true

- name: Two uplinks, three quarters of the connections through the first
  podnet.calico.calico_route:
    routes:
      - destination: 203.0.113.0/24
        next_hops:
          - {gateway: 192.0.2.1, weight: 3}
          - {gateway: 198.51.100.1}

- name: A default route of its own for what policy rules send to table 100, IPv4 and IPv6
  podnet.calico.calico_route:
    routes:
      - {destination: 0.0.0.0/0, gateway: 192.0.2.1, table: 100}
      - {destination: "::/0", gateway: "2001:db8::1", table: 100}

- name: A hundred thousand routes from a file that an exporter has left on the host
  podnet.calico.calico_route:
    src: /var/lib/exporter/routes.json  # [{"destinations": ["10.0.0.0/26", ...], "gateway": "192.0.2.12"}]

- name: Make routes that an administrator once typed ours
  podnet.calico.calico_route:
    routes:
      - {destination: 10.244.3.0/26, gateway: 192.0.2.14}
    take_over: true

- name: Reach a network through another router, if a host behind it answers by that way
  podnet.calico.calico_route:
    routes:
      - {destination: 203.0.113.0/24, gateway: 192.0.2.2}
    confirm:
      netns: /proc/self/ns/net
      device: eth0
      targets:
        - {name: web, address: 203.0.113.10}

- name: Remove every route that this module ever made
  podnet.calico.calico_route:
    routes: []
    exclusive: true
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode. The first 100; the summary counts all, the diff shows all.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: route, name: 10.244.1.0/26}]
summary:
  description: How many changes there are.
  returned: success
  type: dict
  sample: {create: 1, replace: 0, delete: 0}
surplus:
  description: Names of routes of ours that are not listed, the first 100; they stay unless O(exclusive=true).
  returned: success
  type: list
  elements: str
  sample: []
pings:
  description: The pings that confirm the change, as RV(podnet.calico.calico_ping#module:results).
  returned: with O(confirm), but not in check mode
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.argspec import PING_TARGET
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.kernel.listing import listing
from ansible_collections.podnet.calico.plugins.module_utils.kernel.route_entries import from_file
from ansible_collections.podnet.calico.plugins.module_utils.kernel.routes import ensure
from ansible_collections.podnet.calico.plugins.module_utils.runner import run

HOP = {
    "gateway": {"type": "str"},
    "device": {"type": "str"},
    "onlink": {"type": "bool", "default": False},
    "weight": {"type": "int", "default": 1},
}
ROUTE = {
    "destination": {"type": "str"},
    "destinations": {"type": "list", "elements": "str"},
    "type": {"type": "str", "choices": ["unicast", "blackhole", "unreachable"], "default": "unicast"},
    "gateway": {"type": "str"},
    "device": {"type": "str"},
    "onlink": {"type": "bool", "default": False},
    "next_hops": {"type": "list", "elements": "dict", "options": HOP},
    "scope": {"type": "str", "choices": ["global", "link"], "default": "global"},
    "source": {"type": "str"},
    "metric": {"type": "int"},
    "mtu": {"type": "int"},
    "table": {"type": "int", "default": 254},
}

CONFIRM = {
    "targets": {"type": "list", "elements": "dict", "required": True, "options": PING_TARGET},
    "netns": {"type": "str"},
    "device": {"type": "str", "required": True},
    "wait": {"type": "float", "default": 5},
}


def work(module: AnsibleModule) -> Outcome:
    """Bring the routes in line with the options, on trial if they are to be confirmed."""
    params, confirm = module.params, module.params["confirm"]
    entries = params["routes"] if params["src"] is None else from_file(params["src"])

    def change() -> Outcome:
        return ensure(
            entries,
            state=params["state"],
            exclusive=params["exclusive"],
            take_over=params["take_over"],
            check_mode=module.check_mode,
        )

    if confirm is None or module.check_mode:
        return change()
    # Imported here since a call without confirm needs none of it.
    from ansible_collections.podnet.calico.plugins.module_utils.verify.proof import confirmed

    return confirmed(change, **confirm)


def main() -> None:
    """Run the module."""
    spec = {
        **listing("routes", ROUTE),
        "src": {"type": "path"},
        "take_over": {"type": "bool", "default": False},
        "confirm": {"type": "dict", "options": CONFIRM},
    }
    spec["routes"]["required"] = False
    apart = [("routes", "src"), ("take_over", "confirm")]
    one = {"mutually_exclusive": apart, "required_one_of": [("routes", "src")]}
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True, **one), work)


if __name__ == "__main__":
    main()
