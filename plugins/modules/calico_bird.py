#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_bird
short_description: Have BIRD 2 route as a node's plan says
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Writes BIRD's configuration from a plan, checks it with C(bird -p) before it is put in place, and has a running BIRD
    take it over. BIRD is never started, stopped or restarted; sessions that do not change stay up.
  - The configuration is a file of its own, C(/etc/bird/podnet-calico.conf); C(/etc/bird/bird.conf) is not touched.
  - A running BIRD that serves somebody else is refused.
requirements:
  - BIRD 2.0.12 or newer, before 3 (Debian package bird2)
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  bgp:
    description:
      - The part C(bgp) of the node's plan, one of RV(podnet.calico.calico_plan#module:plans).
      - Needed for O(state=present).
    type: dict
  state:
    description: V(absent) has BIRD take its routes out of the kernel and end our sessions, and removes the file.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Follow the plan
  podnet.calico.calico_bird:
    bgp: "{{ calico_node_plan.bgp }}"
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: file, name: /etc/bird/podnet-calico.conf}]
running:
  description: Whether BIRD runs.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.bird import daemon
from ansible_collections.podnet.calico.plugins.module_utils.bird.render import render
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Bring BIRD's configuration in line with the options."""
    if module.params["state"] == "absent":
        return daemon.remove(check_mode=module.check_mode)
    return daemon.ensure(render(module.params["bgp"]), check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {
        "bgp": {"type": "dict"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    required = [("state", "present", ["bgp"])]
    run(AnsibleModule(argument_spec=spec, required_if=required, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
