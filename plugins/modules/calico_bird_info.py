#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_bird_info
short_description: Read BIRD's BGP sessions, or wait for them
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Returns the state of each BGP session of the running BIRD. Changes nothing.
extends_documentation_fragment:
  - podnet.calico.attributes.info
options:
  sessions:
    description: Names of the sessions to wait for.
    type: list
    elements: str
    default: []
  wait:
    description: Seconds to wait until all O(sessions) are established; fails with the names of those that are not.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Which sessions are there?
  podnet.calico.calico_bird_info:
  register: bird
"""

RETURN = r"""
sessions:
  description: Sessions by name.
  returned: success
  type: dict
  sample: {mesh_192_0_2_12: {name: mesh_192_0_2_12, kind: BGP, state: up, info: Established}}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.bird.daemon import inform
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Read the sessions."""
    return inform(module.params["sessions"], module.params["wait"])


def main() -> None:
    """Run the module."""
    spec = {
        "sessions": {"type": "list", "elements": "str", "default": []},
        "wait": {"type": "float", "default": 0},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
