#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_persist
short_description: Have tunnels, routes, outgoing NAT and guard come back after a reboot
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Writes C(/etc/podnet-calico/restore), a shell script with the commands of C(ip), C(bridge) and C(nft) that make what
    M(podnet.calico.calico_tunnel), M(podnet.calico.calico_route) and M(podnet.calico.calico_nat) make of the same
    options. A person can read it and run it at any time; it changes only what differs, and removes nothing.
  - The unit C(podnet-calico.service) runs it at boot, before BIRD and the container runtime. It does not depend on any
    network manager, and waits up to 30 seconds for the underlay.
  - Where systemd-networkd or NetworkManager is installed, files for them keep our devices and routes from being taken
    away. One that runs is told; systemd-networkd is restarted for it, once, with its file in place.
  - With each new text the unit is started, so that a restore file that does not work is found now and not at the next
    boot. Run the module where everything is as the options say.
  - All files are replaced in one step, and are on the disk when the module ends.
requirements:
  - systemd, iproute2, awk, flock; C(nft) for O(nat) and O(guard), C(python3) for O(checksum_offload)
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  tunnels:
    description: The tunnels, as M(podnet.calico.calico_tunnel) takes them. Needed for O(state=present).
    type: list
    elements: dict
    suboptions:
      kind:
        description: What the tunnel wraps packets in.
        type: str
        choices: [ipip, vxlan]
        required: true
      name:
        description: Name of the device; V(tunl0) for IPIP, V(vxlan.calico) for Calico's VXLAN.
        type: str
        required: true
      address:
        description: The only address of the device, with V(/32) or V(/128).
        type: str
        required: true
      mtu:
        description: MTU of the device in bytes.
        type: int
        required: true
      local:
        description: The node's address on the underlay; packets leave with it as source.
        type: str
      parent:
        description:
          - Name of the underlay device. A VXLAN without one sends by whichever device leads to a peer.
        type: str
      mac:
        description: MAC of the device. Needed for a VXLAN.
        type: str
      vni:
        description: VXLAN network identifier. Needed for a VXLAN.
        type: int
      port:
        description: UDP port of the VXLAN. Needed for a VXLAN.
        type: int
      peers:
        description: The other ends of a VXLAN; the list is complete.
        type: list
        elements: dict
        default: []
        suboptions:
          node:
            description: Name of the other node, for the reader.
            type: str
          address:
            description: Address of the other node's tunnel device.
            type: str
            required: true
          mac:
            description: MAC of the other node's tunnel device.
            type: str
            required: true
          underlay:
            description: Address of the other node on the underlay.
            type: str
            required: true
  routes:
    description:
      - The routes, as M(podnet.calico.calico_route) takes them. Needed for O(state=present).
    type: list
    elements: dict
  underlay:
    description:
      - Names of the devices that carry packets to other nodes, where neither tunnels nor routes say so, as with BIRD.
      - Where systemd-networkd manages one of them or a device that tunnels and routes name, C(KeepConfiguration=static)
        keeps its address and routes through a restart of systemd-networkd, unless its files say something else of it.
    type: list
    elements: str
    default: []
  nat:
    description: Outgoing NAT, as M(podnet.calico.calico_nat) takes it.
    type: dict
    default: {}
    suboptions:
      masquerade:
        description: Networks whose packets are masqueraded when their destination is no pod.
        type: list
        elements: str
        default: []
      pools:
        description: Networks that pods have addresses of.
        type: list
        elements: str
        default: []
      exclude:
        description: Further networks or addresses, packets to which are not masqueraded.
        type: list
        elements: str
        default: []
      tunnels:
        description: Names of tunnel devices. What the host itself sends through one of them is masqueraded.
        type: list
        elements: str
        default: []
  guard:
    description: Whom the node trusts, as M(podnet.calico.calico_nat) takes it. There is no guard without it.
    type: dict
    suboptions:
      nodes:
        description: Addresses of the other nodes, from which packets of the tunnels are taken.
        type: list
        elements: str
        required: true
      encapsulations:
        description: Encapsulations in use.
        type: list
        elements: str
        choices: [ipip, vxlan]
        required: true
      uplinks:
        description: Names of devices that lead to other nodes.
        type: list
        elements: str
        default: []
  checksum_offload:
    description:
      - Whether the checksums of what goes into the tunnels are left to the network card, as for
        M(podnet.calico.calico_tunnel).
    type: bool
  state:
    description: V(absent) removes files and unit; tunnels, routes, NAT and guard stay until the next boot.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: podnet.calico.calico_tunnel
  - module: podnet.calico.calico_route
  - module: podnet.calico.calico_nat
"""

EXAMPLES = r"""
- name: Have a VXLAN and its routes come back after a reboot
  podnet.calico.calico_persist:
    tunnels:
      - kind: vxlan
        name: vxlan.calico
        address: 10.244.0.0/32
        mtu: 1450
        local: 192.0.2.11
        parent: eth0
        mac: 66:00:00:00:00:01
        vni: 4096
        port: 4789
        peers:
          - {address: 10.244.1.0, mac: "66:00:00:00:00:02", underlay: 192.0.2.12}
    routes:
      - {destination: 10.244.1.0/26, gateway: 10.244.1.0, device: vxlan.calico, onlink: true}
      - {destination: 10.244.0.0/26, type: blackhole}
    nat:
      masquerade: [10.244.0.0/16]
      pools: [10.244.0.0/16]

- name: Let the next boot bring nothing back
  podnet.calico.calico_persist:
    state: absent
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: file, name: /etc/podnet-calico/restore}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.kernel import offload
from ansible_collections.podnet.calico.plugins.module_utils.kernel.listing import GUARD, TUNNEL
from ansible_collections.podnet.calico.plugins.module_utils.module import Module
from ansible_collections.podnet.calico.plugins.module_utils.persist import keep, restore
from ansible_collections.podnet.calico.plugins.module_utils.runner import run

NETWORKS = {"type": "list", "elements": "str", "default": []}
NAT = dict.fromkeys(("masquerade", "pools", "exclude", "tunnels"), NETWORKS)


def work(module: AnsibleModule) -> Outcome:
    """Bring files and unit in line with the options."""
    params = module.params
    if params["state"] == "absent":
        return keep.remove(check_mode=module.check_mode)
    offloaded = offload.default() if params["checksum_offload"] is None else params["checksum_offload"]
    nat = {option: params["nat"].get(option) for option in NAT}
    wanted = restore.wanted(params["tunnels"], params["routes"], nat, offloaded, params["guard"])
    return keep.ensure(*restore.boot(wanted, params["underlay"]), check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {
        "tunnels": {"type": "list", "elements": "dict", "options": TUNNEL},
        "routes": {"type": "list", "elements": "dict"},
        "underlay": {"type": "list", "elements": "str", "default": []},
        "nat": {"type": "dict", "default": {}, "options": NAT},
        "guard": {"type": "dict", "options": GUARD},
        "checksum_offload": {"type": "bool"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    required = [("state", "present", ["tunnels", "routes"])]
    run(Module(argument_spec=spec, required_if=required, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
