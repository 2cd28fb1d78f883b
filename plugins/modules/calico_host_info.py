#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_host_info
short_description: See what a host's part of the pod network has to be built on
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Returns the node's address with the prefix length of its interface, the device that carries the routes to the other
    nodes and its MTU, and the encapsulations that the kernel has.
  - The device is found by asking the kernel for the route to the peers, not by its name. Changes nothing.
  - Where Python's netlink library is missing, it says so in RV(missing) instead of failing, for it to be installed.
extends_documentation_fragment:
  - podnet.calico.attributes.info
options:
  address:
    description:
      - The node's address, with or without prefix length; it must be on an interface of the host.
      - By default it is O(preferred), or the source address that the kernel uses towards the O(peers).
      - An address that is temporary or deprecated, of a loopback, link-local, or virtual (of full length beside an
        address of its network on the same device) is refused. By default another one of the device is taken instead.
    type: str
  ipv6_address:
    description: The node's IPv6 address beside an IPv4 O(address), with or without prefix length; none if empty.
    type: str
  preferred:
    description: The address that is the node's if O(address) is not given and the host has it, such as C(ansible_host).
    type: str
    default: ""
  peers:
    description: Addresses of the other nodes; those of the host itself are ignored.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Where do packets to the other nodes leave, and how large may they be?
  podnet.calico.calico_host_info:
    peers: [192.0.2.12, 192.0.2.13]
  register: host
"""

RETURN = r"""
missing:
  description: Debian's names of the packages that the modules need and that are not installed.
  returned: success
  type: list
  elements: str
  sample: []
remembered:
  description: Whether M(podnet.calico.calico_baseline) has written down what the host was.
  returned: when nothing is missing
  type: bool
bird_deployed:
  description:
    - Whether a file of M(podnet.calico.calico_bird) is there, which are BIRD's configuration, the passwords of its
      sessions, and a drop-in of its unit.
  returned: when nothing is missing
  type: bool
host:
  description: What was seen; not there while a package is missing.
  returned: success
  type: dict
  contains:
    address:
      description: The node's address with the prefix length of its interface.
      type: str
      sample: 192.0.2.11/24
    ipv6_address:
      description: The IPv6 address with the prefix length of its interface, if O(ipv6_address) is given.
      type: str
      sample: 2001:db8::11/64
    address_device:
      description: The device that has the address.
      type: str
      sample: eth0
    ipv6_address_device:
      description: The device that has the IPv6 address, if O(ipv6_address) is given.
      type: str
      sample: eth0
    device:
      description: The device that carries the routes to the peers.
      type: str
      sample: eth0
    mtu:
      description: The smallest MTU of the devices that carry routes to peers, in bytes.
      type: int
      sample: 1500
    encapsulations:
      description: Link kinds that the kernel has.
      type: list
      elements: str
      sample: [ipip, vxlan]
    checks_sources:
      description: Whether the kernel may drop IPv4 packets for where they come from (rp_filter).
      type: bool
      sample: false
    advertised:
      description:
        - Devices that the kernel configures by router advertisements, which it ignores while it forwards IPv6 unless
          C(accept_ra) is 2. Devices for which systemd-networkd or NetworkManager do so are not among them.
      type: list
      elements: str
      sample: [eth0]
    pod_gateway:
      description:
        - Whether a route of others leads to 169.254.1.1, the gateway of pods, such as a default route. Then the host
          answers pods' ARP requests for it without a route of ours.
      type: bool
      sample: true
    programs:
      description: Which of the programs that roles install are there.
      type: dict
      sample: {bird: true, cni: true, nft: true}
    cni_bin_dir:
      description: Where the CNI plugins are, or where the distribution's package would put them.
      type: str
      sample: /usr/lib/cni
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.bird.paths import deployed
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.kernel.host import missing_packages, observe
from ansible_collections.podnet.calico.plugins.module_utils.marks import BASELINE
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Look at the host."""
    missing = missing_packages()
    if missing:
        return Outcome([], {"missing": missing})
    host = observe(**{key: module.params[key] for key in ("address", "peers", "ipv6_address", "preferred")})
    facts = {"missing": [], "remembered": os.path.exists(BASELINE), "bird_deployed": deployed()}
    return Outcome([], {"host": host, **facts})


def main() -> None:
    """Run the module."""
    spec = {
        "address": {"type": "str"},
        "ipv6_address": {"type": "str"},
        "preferred": {"type": "str", "default": ""},
        "peers": {"type": "list", "elements": "str", "default": []},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
