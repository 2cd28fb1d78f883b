#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_tunnel
short_description: Configure IPIP and VXLAN tunnels with their neighbours and forwarding entries
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Manages tunl0 and VXLAN devices as Calico makes them, each with its one address, and a VXLAN with the permanent
    neighbour and forwarding entries of its peers as one unit.
  - A VXLAN device is made anew only if an attribute differs that the kernel cannot change; the diff says so.
  - Devices of ours carry a link alias that starts with C(podnet.calico). The kernel's own tunl0 is adopted, and given
    back without address when it is removed.
requirements:
  - pyroute2 >= 0.7.2 on the target (Debian package python3-pyroute2), where something has to be changed
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  tunnels:
    description: The tunnels.
    type: list
    elements: dict
    required: true
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
  state:
    description: Whether the tunnels shall exist.
    type: str
    choices: [present, absent]
    default: present
  exclusive:
    description:
      - Remove all tunnels of ours that are not listed, and neighbours whose tunnel address has changed.
      - Without it these stay, since routes may still lead by the old address.
    type: bool
    default: false
  checksum_offload:
    description:
      - Whether the checksums of what goes into the tunnels are left to the network card. Some cards and drivers damage
        those of encapsulated packets, so that ping works while TCP and UDP do not; V(false) is the remedy.
      - By default it is switched off on kernels before 5.8, as Calico does, and left as it is on others.
    type: bool
"""

EXAMPLES = r"""
- name: A VXLAN between two hosts, without any daemon
  podnet.calico.calico_tunnel:
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

- name: Adopt the kernel's IPIP device
  podnet.calico.calico_tunnel:
    tunnels:
      - {kind: ipip, name: tunl0, address: 10.244.0.1/32, mtu: 1480}
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: tunnel, name: vxlan.calico}]
surplus:
  description: Names of tunnels of ours that have something left over that O(exclusive=true) removes.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.kernel.listing import TUNNEL, listing
from ansible_collections.podnet.calico.plugins.module_utils.kernel.tunnels import ensure
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Bring the tunnels in line with the options."""
    params = module.params
    return ensure(
        params["tunnels"],
        state=params["state"],
        exclusive=params["exclusive"],
        checksum_offload=params["checksum_offload"],
        check_mode=module.check_mode,
    )


def main() -> None:
    """Run the module."""
    spec = {**listing("tunnels", TUNNEL), "checksum_offload": {"type": "bool"}}
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
