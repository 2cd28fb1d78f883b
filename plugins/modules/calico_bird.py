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
    take it over. It is not restarted, and sessions that do not change stay up.
  - A running BIRD takes a change over for a limited time and goes back to the old configuration by itself, unless this
    module has seen that all sessions that should stay are still up and have their routes. So a change that cuts the
    host off undoes itself.
  - The diff and the result tell which sessions are reset and which prefixes are withdrawn, in check mode as well.
  - The configuration is a file of its own, C(/etc/bird/podnet-calico.conf); C(/etc/bird/bird.conf) is not touched.
    Passwords are in C(/etc/bird/podnet-calico-secrets.conf), which only BIRD's user can read.
  - BIRD's systemd unit gets a drop-in, C(/etc/systemd/system/bird.service.d/podnet-calico.conf), by which it runs this
    configuration and keeps its routes in the kernel over a restart. Then the unit is enabled, and started if it does
    not run. Where systemd does not run, as in a chroot, it is enabled only.
  - A running BIRD that serves somebody else is refused, and so is a drop-in of somebody else in that place.
requirements:
  - BIRD 2.0.12 or newer (Debian package bird2)
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  plan:
    description:
      - The node's plan, whole or compact, one of RV(podnet.calico.calico_plan#module:plans). Its part C(bgp) is used.
      - It or O(bgp) is needed for O(state=present).
    type: dict
  bgp:
    description: What BIRD is to do, one of RV(podnet.calico.calico_bgp_plan#module:plans), instead of a whole plan.
    type: dict
  passwords:
    description:
      - The passwords that sessions of the plan name, as a dictionary of secrets, each a dictionary of keys and values.
      - What no session names is ignored. Values are neither shown nor logged, nor is anything made from them.
    type: dict
    default: {}
  bfd:
    description: Whether sessions are watched by BFD.
    type: bool
    default: false
  max_sessions_reset:
    description:
      - How many sessions a change may reset; if it were more, nothing is changed and the module fails with their names.
        Without it there is no limit.
      - Sessions that the plan does not have any more are not counted.
    type: int
  max_prefixes_withdrawn:
    description:
      - How many prefixes of its own the node may cease to announce; if it were more, nothing is changed and the module
        fails with their names. Without it there is no limit.
    type: int
  max_routes_lost:
    description:
      - How many routes of sessions that stay may be refused by the new configuration, or own prefixes not be announced
        to a peer, which were before. If it is more, the change is undone and the module fails.
      - Routes of pools that are removed, and prefixes in RV(prefixes_withdrawn), do not count. Neither do routes that
        peers withdraw in the meantime.
    type: int
    default: 0
  timeout:
    description: Seconds after which BIRD undoes a change by itself if this module has not confirmed it. At least 5.
    type: int
    default: 20
  service:
    description: Name of BIRD's systemd unit, without C(.service).
    type: str
    default: bird
  state:
    description:
      - V(absent) has BIRD take its routes out of the kernel and end our sessions, stops and disables its unit, and
        removes the files. A BIRD that serves somebody else goes on running.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Follow the plan
  podnet.calico.calico_bird:
    plan: "{{ plan_of_node }}"

- name: Follow the plan if no session is reset
  podnet.calico.calico_bird:
    plan: "{{ plan_of_node }}"
    passwords:
      routers:
        tor1: "{{ vault_password_of_tor1 }}"
    max_sessions_reset: 0
"""

RETURN = r"""
changes:
  description:
    - What was changed, or would be in check mode. A change of kind C(session) that replaces a session has in the diff
      whether it resets it.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: file, name: /etc/bird/podnet-calico.conf}]
running:
  description: Whether BIRD was running before.
  returned: success
  type: bool
ours:
  description: Whether BIRD was running with a configuration of this collection.
  returned: with O(state=absent)
  type: bool
sessions_added:
  description: Names of the sessions that the change makes.
  returned: success
  type: list
  elements: str
  sample: [bgp_192_0_2_1]
sessions_removed:
  description: Names of the sessions that the change ends for good.
  returned: success
  type: list
  elements: str
sessions_reset:
  description: Names of the sessions that end and come up again with other options.
  returned: success
  type: list
  elements: str
prefixes_announced:
  description: Prefixes of its own that the node announces from now on.
  returned: success
  type: list
  elements: str
  sample: [10.244.166.128/26]
prefixes_withdrawn:
  description: Prefixes of its own that the node announces no longer.
  returned: success
  type: list
  elements: str
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.bird.removal import remove
from ansible_collections.podnet.calico.plugins.module_utils.bird.safe_apply import Limits, ensure
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.handover import whole
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Bgp
from ansible_collections.podnet.calico.plugins.module_utils.planner.shapes import checked_passwords, complete
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def of_plan(plan: t.Any) -> dict[str, t.Any]:
    """Return the part of a plan that is BIRD's; raises InvalidInput if there is none."""
    found = whole(plan, ("bgp",))["bgp"]
    if found is None:
        raise InvalidInput("plan: BIRD has nothing to do on this node", remedy="Set state to absent")
    return t.cast("dict[str, t.Any]", found)


def work(module: AnsibleModule) -> Outcome:
    """Bring BIRD's configuration in line with the options."""
    given = module.params
    if given["state"] == "absent":
        return remove(given["service"], check_mode=module.check_mode)
    limits = Limits(
        given["max_sessions_reset"], given["max_prefixes_withdrawn"], given["max_routes_lost"], given["timeout"]
    )
    bgp = of_plan(given["plan"]) if given["bgp"] is None else complete(Bgp, given["bgp"], "bgp")
    passwords = checked_passwords(given["passwords"])
    options = {"bfd": given["bfd"], "service": given["service"], "check_mode": module.check_mode}
    return ensure(bgp, passwords, limits, **options)


def main() -> None:
    """Run the module."""
    spec = {
        "plan": {"type": "dict"},
        "bgp": {"type": "dict"},
        "passwords": {"type": "dict", "default": {}, "no_log": True},
        "bfd": {"type": "bool", "default": False},
        "max_sessions_reset": {"type": "int"},
        "max_prefixes_withdrawn": {"type": "int"},
        "max_routes_lost": {"type": "int", "default": 0},
        "timeout": {"type": "int", "default": 20},
        "service": {"type": "str", "default": "bird"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    options = {"required_if": [("state", "present", ["plan", "bgp"], True)], "mutually_exclusive": [("plan", "bgp")]}
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True, **options), work)


if __name__ == "__main__":
    main()
