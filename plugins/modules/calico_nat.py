#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_nat
short_description: Masquerade what pods send to the outside, and guard the pod network
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Gives packets that leave the pod network an address of the host as their source, as Calico does for pools with
    C(natOutgoing). Packets between pods keep their addresses. Packets of the tunnels' protocols are never masqueraded.
  - With O(guard), packets of pods are dropped that have another source than the pod's address, that are of the tunnels'
    protocols (IP protocol 4, UDP 4789), or that would change the host's routes (router advertisements, redirects); and
    packets of tunnels that do not come from a node. What tunnels send is not tracked by conntrack. See docs/guard.md.
  - All of it is one nftables table, C(inet podnet_calico). Other tables, those of iptables among them, are neither read
    nor changed.
  - A change is one transaction that touches only what differs, so that there is no moment without the table, and each
    packet meets the old rules or the new ones.
  - The table belongs to this module alone. What somebody else adds to it or takes from it is a difference, and goes.
    Where the table itself, its chain or one of its sets was defined otherwise, where it was given an object that is no
    rule, set, map or chain, or where it changes during the run, it is made anew, still in one transaction; connections
    that begin at that very moment may keep the addresses of their pods.
  - Where O(masquerade) is empty and there is no O(guard) there is no table.
requirements:
  - C(nft) on the target (Debian package nftables); not for removing what is not there
  - a kernel with nf_tables, nft_masq and nft_fib_inet, and for the guard nft_ct
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  masquerade:
    description:
      - Networks in CIDR notation, IPv4 and IPv6, whose packets are masqueraded when their destination is no pod.
      - Needed for O(state=present). Each has to be within O(pools).
    type: list
    elements: str
  pools:
    description:
      - Networks in CIDR notation that pods have addresses of; packets to them are never masqueraded.
      - Needed for O(state=present).
    type: list
    elements: str
  exclude:
    description:
      - Further networks or addresses, packets to which are not masqueraded.
      - Without it, what pods send to addresses of other hosts is masqueraded, as in Calico; with the addresses of all
        nodes it is Calico's C(natOutgoingExclusions=IPPoolsAndHostIPs).
    type: list
    elements: str
    default: []
  tunnels:
    description:
      - Names of tunnel devices. What the host itself sends through one of them with an address of another device is
        masqueraded, so that the answer comes back through the tunnel.
    type: list
    elements: str
    default: []
  guard:
    description: Whom the node trusts. There is no guard without it.
    type: dict
    suboptions:
      nodes:
        description: Addresses of the other nodes on the underlay, from which packets of the tunnels are taken.
        type: list
        elements: str
        required: true
      encapsulations:
        description: Encapsulations in use, whose packets are taken from no other host.
        type: list
        elements: str
        choices: [ipip, vxlan]
        required: true
      uplinks:
        description:
          - Names of devices that lead to other nodes. Devices whose names begin with C(cali) or C(veth) are taken for
            those of pods unless they are listed.
        type: list
        elements: str
        default: []
  state:
    description: V(absent) removes the table.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: podnet.calico.calico_ippool
  - module: podnet.calico.calico_plan
"""

EXAMPLES = r"""
- name: Let pods reach the outside with the host's address
  podnet.calico.calico_nat:
    masquerade: [10.244.0.0/16]
    pools: [10.244.0.0/16, 10.245.0.0/16]
    tunnels: [vxlan.calico]

- name: Let containers of one range reach the outside, but the office's network with their own addresses
  podnet.calico.calico_nat:
    masquerade: [172.20.0.0/16, "2001:db8:20::/64"]
    pools: [172.20.0.0/16, "2001:db8:20::/64"]
    exclude: [198.51.100.0/24]

- name: Take packets of tunnels from two other nodes alone, and none of a pod that are not its own
  podnet.calico.calico_nat:
    masquerade: [10.244.0.0/16]
    pools: [10.244.0.0/16]
    tunnels: [vxlan.calico]
    guard:
      nodes: [192.0.2.12, 192.0.2.13]
      encapsulations: [vxlan]
      uplinks: [eth0]

- name: Remove the table
  podnet.calico.calico_nat:
    state: absent
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: nat, name: masquerade 10.244.0.0/16}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.kernel import guard
from ansible_collections.podnet.calico.plugins.module_utils.kernel.listing import GUARD
from ansible_collections.podnet.calico.plugins.module_utils.kernel.nat import NOTHING, ensure, parse
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Bring outgoing NAT and guard in line with the options."""
    if module.params["state"] == "absent":
        return ensure(NOTHING, check_mode=module.check_mode)
    return ensure(parse(module.params), guard.parse(module.params["guard"]), check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {
        "masquerade": {"type": "list", "elements": "str"},
        "pools": {"type": "list", "elements": "str"},
        "exclude": {"type": "list", "elements": "str", "default": []},
        "tunnels": {"type": "list", "elements": "str", "default": []},
        "guard": {"type": "dict", "options": GUARD},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    required = [("state", "present", ["masquerade", "pools"])]
    run(AnsibleModule(argument_spec=spec, required_if=required, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
