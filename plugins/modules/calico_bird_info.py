#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_bird_info
short_description: Read BIRD's BGP sessions and routes, or wait for them
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Returns the state of each BGP session of the running BIRD, how many routes it has, and how many of BIRD's routes are
    in the kernel. Changes nothing.
  - Warns of sessions that are not established, and of sessions that refuse routes since a limit of routes was reached.
extends_documentation_fragment:
  - podnet.calico.attributes.info
options:
  plan:
    description:
      - The node's plan, whole or compact, one of RV(podnet.calico.calico_plan#module:plans). Its sessions with nodes of
        the run are waited for, and what stands by or is moved to BIRD, beside O(sessions) and O(routes).
    type: dict
  sessions:
    description: Names of the sessions to wait for.
    type: list
    elements: str
    default: []
  routes:
    description: Prefixes to wait for, which shall be in the kernel as routes of BIRD.
    type: list
    elements: str
    default: []
  wait:
    description:
      - Seconds to wait until all O(sessions) are established and all O(routes) are there; fails with the names of those
        that are not.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Which sessions are there?
  podnet.calico.calico_bird_info:
  register: bird

- name: Wait until BIRD does what the plan says
  podnet.calico.calico_bird_info:
    plan: "{{ plan_of_node }}"
    wait: 60
"""

RETURN = r"""
version:
  description: BIRD's version; empty if none runs.
  returned: success
  type: str
  sample: "2.0.12"
sessions:
  description:
    - Sessions by name. C(info) is C(Established), or what keeps the session from it. C(since) is when that began.
    - The numbers are of routes, C(preferred) are those that BIRD uses.
    - C(limits_hit) are limits by which routes of the peer are refused, such as C(import limit 10000). BIRD 2 takes no
      new routes then until C(birdc configure), BIRD 3 when there is room again.
    - C(last_error) of a session that is down may only be how the last attempt ended. C(last_notification) is what the
      peer said when it ended the session, such as C(Administrative shutdown), where the host's journal has it.
  returned: success
  type: dict
  sample:
    bgp_192_0_2_12:
      name: bgp_192_0_2_12
      kind: BGP
      state: up
      since: "13:34:35.877"
      info: Established
      address: 192.0.2.12
      remote_as: 64512
      local_as: 64512
      last_error: ""
      last_notification: ""
      imported: 1
      filtered: 0
      exported: 1
      preferred: 1
      limits_hit: []
routes:
  description: How many routes in the kernel BIRD has learned, by IP version.
  returned: success
  type: dict
  sample: {ipv4: 2, ipv6: 0}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.bird.inform import inform
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.planner.handover import whole
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def awaited(given: t.Any) -> tuple[list[str], list[str]]:
    """Return sessions with nodes of the run, and what BIRD has to carry before routes of ours give way (a plan)."""
    plan = whole(given, ("bgp", "nodes", "standby"))
    sessions = plan["bgp"]["sessions"] if plan["bgp"] else []
    routes = plan["standby"] if plan.get("moved") is None else plan["transition"]["carried"]
    names = [session["name"] for session in sessions if session["peer"] in plan["nodes"]]
    return names, [route["destination"] for route in routes]


def work(module: AnsibleModule) -> Outcome:
    """Read the sessions."""
    given = module.params
    sessions, routes = awaited(given["plan"]) if given["plan"] else ([], [])
    return inform([*given["sessions"], *sessions], [*given["routes"], *routes], given["wait"])


def main() -> None:
    """Run the module."""
    spec = {
        "plan": {"type": "dict"},
        "sessions": {"type": "list", "elements": "str", "default": []},
        "routes": {"type": "list", "elements": "str", "default": []},
        "wait": {"type": "float", "default": 0},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
