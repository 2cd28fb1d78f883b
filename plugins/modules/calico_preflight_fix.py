#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_preflight_fix
short_description: Apply the safe remedies of a preflight
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Sets sysctls now and in a file of its own that is read last, and writes the files of M(podnet.calico.calico_persist)
    for systemd-networkd and NetworkManager, and one for udev. What was mended before stays as it is.
  - A network manager that runs is told of a new file; systemd-networkd is restarted for it, once, with a file in place
    that keeps the addresses of O(underlay).
requirements:
  - Linux, root; no library beside Python's own
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  sysctls:
    description: Names and values; a slash stands for a dot in the name of a device.
    type: dict
    default: {}
  networkd:
    description: Whether systemd-networkd shall leave routes and rules of others, and links of pods, alone.
    type: bool
    default: false
  network_manager:
    description: Whether NetworkManager shall leave links of pods alone.
    type: bool
    default: false
  udev:
    description: Whether udev shall leave links of pods the MAC that they are made with.
    type: bool
    default: false
  underlay:
    description: Names of devices that carry packets to other nodes.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(absent) puts the sysctls back and removes the file for udev. Those for network managers go with
        O(podnet.calico.calico_persist#module:state=absent).
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: podnet.calico.calico_preflight_info
"""

EXAMPLES = r"""
- name: Loosen rp_filter of a device
  podnet.calico.calico_preflight_fix:
    sysctls:
      net.ipv4.conf.eth0.rp_filter: "2"
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: replace, kind: sysctl, name: net.ipv4.conf.eth0.rp_filter}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.preflight import fix
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Mend, or take back."""
    params = module.params
    if params["state"] == "absent":
        return fix.remove(check_mode=module.check_mode)
    wanted = fix.Wanted(
        {name: str(value) for name, value in params["sysctls"].items()},
        params["networkd"],
        params["network_manager"],
        params["udev"],
        params["underlay"],
    )
    return fix.ensure(wanted, check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    flag = {"type": "bool", "default": False}
    spec = {
        "sysctls": {"type": "dict", "default": {}},
        "networkd": flag,
        "network_manager": flag,
        "udev": flag,
        "underlay": {"type": "list", "elements": "str", "default": []},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
