#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_dataplane
short_description: Bring a node's part of the pod network in line with its plan, all in one call
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Does one after the other what M(podnet.calico.calico_baseline), M(podnet.calico.calico_sysctl),
    M(podnet.calico.calico_tunnel), M(podnet.calico.calico_route), M(podnet.calico.calico_nat) and
    M(podnet.calico.calico_persist) do with the parts of a plan, and writes the file that names our routes' protocol.
    The plan is checked as a whole before anything is touched.
  - If one of these concerns fails, the message names it, those that are in line already, and those that are not
    looked at yet. The next run makes the rest.
requirements:
  - pyroute2 >= 0.7.2 on the target (Debian package python3-pyroute2), where a tunnel has to be changed
  - nft for outgoing NAT and the guard; systemd, iproute2, awk, flock for what comes back after a reboot
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  plan:
    description:
      - The node's plan, whole or compact, as M(podnet.calico.calico_plan) returns it. Needed for O(state=present).
      - Of a whole one its parts device, guard, nat, requirements, routes, standby, tunnels and underlay are used, and
        the others may be left out.
    type: dict
  exclusive:
    description:
      - Remove routes of ours that the plan does not have or has as standby only, and then tunnels of ours that it does
        not have.
    type: bool
    default: false
  concerns:
    description:
      - The parts to look at. V(baseline) remembers the host before the first deployment, V(protocol) is the file that
        names our routes' protocol, V(persist) all that comes back after a reboot.
    type: list
    elements: str
    choices: [baseline, protocol, sysctls, tunnels, routes, nat, persist]
    default: [baseline, protocol, sysctls, tunnels, routes, nat, persist]
  confirm:
    description:
      - Takes routes on trial, as O(podnet.calico.calico_route#module:confirm). The probe pods of the other nodes of the
        run are pinged from the node's own ones, which have to be there.
    type: dict
    suboptions:
      wait:
        description: Seconds that the network may take until every probe pod has answered once; not counted.
        type: float
        default: 5
  checksum_offload:
    description: As O(podnet.calico.calico_tunnel#module:checksum_offload).
    type: bool
  bird_service:
    description: Name of BIRD's unit, for the baseline.
    type: str
    default: bird
  state:
    description:
      - V(absent) removes all of it, what a boot would restore first. The baseline stays, for
        M(podnet.calico.calico_baseline) to prove that nothing is left.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: podnet.calico.calico_plan
  - module: podnet.calico.calico_audit
"""

EXAMPLES = r"""
- name: Follow the plan
  podnet.calico.calico_dataplane:
    plan: "{{ plan_of_node }}"
  register: configured

- name: Remove routes and tunnels that are not planned any more
  podnet.calico.calico_dataplane:
    plan: "{{ plan_of_node }}"
    concerns: [tunnels, routes]
    exclusive: true
  when: configured.surplus | length > 0

- name: Remove all of it
  podnet.calico.calico_dataplane:
    state: absent
"""

RETURN = r"""
changes:
  description: What was changed, or would be in check mode. The first 100 of each concern; the summary counts all.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: tunnel, name: vxlan.calico, concern: tunnels}]
summary:
  description: How many changes there are.
  returned: success
  type: dict
  sample: {create: 1, replace: 0, delete: 0}
surplus:
  description: Names of tunnels and routes of ours that O(exclusive=true) removes, of routes the first 100.
  returned: success
  type: list
  elements: str
  sample: []
pings:
  description: The pings that confirm routes, as RV(podnet.calico.calico_ping#module:results).
  returned: with O(confirm), but not in check mode
  type: list
  elements: dict
  sample: []
failure:
  description: If a concern has failed, its name, those that are in line, those that are not done, and the changes made.
  returned: failure
  type: dict
  sample: {kind: Conflict, concern: routes, done: [sysctls, tunnels], not_done: [nat, persist], changes: []}
"""

import functools
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.dataplane import wanted
from ansible_collections.podnet.calico.plugins.module_utils.dataplane.node import CONCERNS, Present, Steps, absent
from ansible_collections.podnet.calico.plugins.module_utils.dataplane.steps import make
from ansible_collections.podnet.calico.plugins.module_utils.planner.handover import whole
from ansible_collections.podnet.calico.plugins.module_utils.runner import run
from ansible_collections.podnet.calico.plugins.module_utils.verify import planned_pings


def steps(module: AnsibleModule) -> Steps:
    """Return all that the options could ask for, in order."""
    given, check_mode = module.params, module.check_mode
    if given["state"] == "absent":
        return absent(check_mode=check_mode)
    offload, exclusive = given["checksum_offload"], given["exclusive"]
    on_trial = given["confirm"] is not None and not check_mode
    plan = whole(given["plan"], (*wanted.PARTS, *(planned_pings.PARTS if on_trial else ())))
    asked = wanted.of_plan(plan, exclusive=exclusive, checksum_offload=offload)
    options = {"check_mode": check_mode, "exclusive": exclusive, "offload": offload, "bird": given["bird_service"]}
    return Present(asked, **options, confirm=proof(plan, given["confirm"]["wait"]) if on_trial else None).steps()


def proof(plan: t.Mapping[str, t.Any], wait: float) -> t.Callable[[t.Callable[[], Outcome]], Outcome]:
    """Return what makes a change on trial, and proves it by pings between the probe pods of a plan."""
    from ansible_collections.podnet.calico.plugins.module_utils.verify.proof import confirmed

    targets = planned_pings.targets_of(plan, "pods")
    return functools.partial(confirmed, targets=targets, netns=None, device=plan["device"], wait=wait)


def work(module: AnsibleModule) -> Outcome:
    """Bring the concerns in line with the options."""
    chosen = [(concern, do) for concern, do in steps(module) if concern in module.params["concerns"]]
    return make(chosen, with_diff=module._diff)


def main() -> None:
    """Run the module."""
    spec = {
        "plan": {"type": "dict"},
        "exclusive": {"type": "bool", "default": False},
        "concerns": {"type": "list", "elements": "str", "choices": list(CONCERNS), "default": list(CONCERNS)},
        "confirm": {"type": "dict", "options": {"wait": {"type": "float", "default": 5}}},
        "checksum_offload": {"type": "bool"},
        "bird_service": {"type": "str", "default": "bird"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    required = [("state", "present", ["plan"])]
    run(AnsibleModule(argument_spec=spec, required_if=required, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
