#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_sysctl
short_description: Set the sysctls that a node's plan needs, now and for the next boot
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Sets the values in the running kernel and in one file of ours below C(/etc/sysctl.d), which also remembers what
    they were before. Those that are not listed any more are put back.
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  sysctls:
    description: Names and values.
    type: dict
    default: {}
  state:
    description: Whether the values shall be set; V(absent) puts all back.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Let the host forward packets
  podnet.calico.calico_sysctl:
    sysctls:
      net.ipv4.ip_forward: "1"
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: replace, kind: sysctl, name: net.ipv4.ip_forward}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.kernel.sysctls import ensure
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Bring the sysctls in line with the options."""
    wanted = {name: str(value) for name, value in module.params["sysctls"].items()}
    return ensure(wanted, state=module.params["state"], check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {
        "sysctls": {"type": "dict", "default": {}},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
