#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_baseline
short_description: Remember what a host was before the first deployment, and prove that it is so again
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - V(present) writes down once what the host's network is, in C(/var/lib/podnet-calico/before.json). It does nothing
    if that file is there, or if something on the host carries a mark of the collection already.
  - That is links, addresses, routes of all tables, rules, permanent neighbours, forwarding entries, the sysctls that
    the collection sets, nftables tables, the folders that it writes to, and the state of BIRD's unit.
  - V(absent) removes folders that were not there and are empty, has BIRD's unit run again if it did before, compares
    the host with what is remembered, and forgets that. It fails naming everything of the collection that is not as it
    was; what others have changed since is returned.
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  state:
    description: Whether to remember, or to prove and forget. Where nothing is remembered, V(absent) does nothing.
    type: str
    choices: [present, absent]
    default: present
  bird_service:
    description: Name of BIRD's unit.
    type: str
    default: bird
  kept:
    description: Paths that may stay with all that is in them, for O(state=absent).
    type: list
    elements: path
    default: []
"""

EXAMPLES = r"""
- name: Remember what the host is before anything is changed
  podnet.calico.calico_baseline:

- name: Prove that nothing is left
  podnet.calico.calico_baseline:
    state: absent
  register: clean
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: delete, kind: folder, name: /etc/cni/net.d}]
marks:
  description: What carries a mark of the collection, so that nothing was written down; the first of it.
  returned: with O(state=present)
  type: list
  elements: str
compared:
  description: Whether the host was compared with what is remembered.
  returned: with O(state=absent)
  type: bool
others:
  description: What others have changed since.
  returned: with O(state=absent)
  type: list
  elements: str
  sample: ["link docker0: there now bridge up mtu 1500 02:42:ac:11:00:02"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.baseline.store import prove, remember
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Remember, or prove."""
    params = module.params
    if params["state"] == "present":
        return remember(params["bird_service"], check_mode=module.check_mode)
    return prove(params["bird_service"], params["kept"], check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    spec = {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "bird_service": {"type": "str", "default": "bird"},
        "kept": {"type": "list", "elements": "path", "default": []},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
