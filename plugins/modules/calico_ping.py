#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_ping
short_description: Ping many pods at once, and see how each packet really travels
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Sends ICMP echo requests to all targets at the same time from inside a network namespace of the host.
  - Watches the underlay device meanwhile and reports for each target what its packets were wrapped in.
  - Needs nothing but Python on the target. A target that does not answer is a result, not a failure.
requirements:
  - Linux; no library beside Python's own
extends_documentation_fragment:
  - podnet.calico.attributes.info
attributes:
  idempotent:
    support: N/A
    details: Each run measures anew.
options:
  plan:
    description:
      - The node's plan, whole or compact, one of RV(podnet.calico.calico_plan#module:plans).
      - The probe pods of the other nodes of the run are pinged from the node's own ones, which have to be there.
    type: dict
  to:
    description:
      - What of the O(plan) to ping. V(pods_and_hosts) pings between pods and hosts as well, both ways; V(trial) only
        those probe pods to which packets go by the new path while modes change.
    type: str
    choices: [pods, pods_and_hosts, trial]
    default: pods_and_hosts
  targets:
    description: The addresses to ping. They or a O(plan) are needed.
    type: list
    elements: dict
    suboptions:
      name:
        description: What to call the target in the result.
        type: str
        required: true
      address:
        description: The address.
        type: str
        required: true
      pool:
        description: The pool that the address is from; returned with the result.
        type: str
      expected:
        description: The encapsulation that the plan says; returned with the result.
        type: str
      netns:
        description: The network namespace to ping from, if not O(netns).
        type: str
      answer_to:
        description:
          - For an address of the host itself, the address of the pod from which it is pinged. The result then has
            C(answered_by), the device by which the host sends from the one to the other, empty for none.
        type: str
      count:
        description: Echo requests for this target, if not O(count).
        type: int
      wait:
        description: Seconds to wait for this target's first answer, if not O(wait).
        type: float
  netns:
    description: Name or path of the network namespace to ping from. Needed unless every target has its own.
    type: str
  device:
    description: The underlay device to watch, if not that of the O(plan). Needed for O(targets).
    type: str
  count:
    description: Echo requests for each target.
    type: int
    default: 10
  interval:
    description: Seconds between two rounds.
    type: float
    default: 0.05
  timeout:
    description: Seconds to wait for the last answers.
    type: float
    default: 1
  wait:
    description: Seconds that the network may take until every target has answered once; not counted.
    type: float
    default: 0
"""

EXAMPLES = r"""
- name: Ping a pod of another node from a pod of this one
  podnet.calico.calico_ping:
    netns: shop.web-0
    device: eth0
    targets:
      - {name: web-1, address: 10.244.1.5}

- name: Ping probe pods of all nodes
  podnet.calico.calico_ping:
    plan: "{{ plan_of_node }}"
    to: pods
"""

RETURN = r"""
results:
  description: One result for each target. The loss is a fraction; times are in milliseconds.
  returned: success
  type: list
  elements: dict
  sample:
    - target: web-1
      address: 10.244.1.5
      sent: 10
      received: 10
      loss: 0.0
      rtt_ms: {min: 0.11, avg: 0.15, max: 0.3}
      encapsulation: VXLAN
problems:
  description: In words, the targets that lost packets or got them otherwise than expected.
  returned: success
  type: list
  elements: str
  sample: ["web-1 (10.244.1.5): 100% lost"]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.argspec import PING_TARGET
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.planner.handover import whole
from ansible_collections.podnet.calico.plugins.module_utils.runner import run
from ansible_collections.podnet.calico.plugins.module_utils.verify.ping import ping_all
from ansible_collections.podnet.calico.plugins.module_utils.verify.planned_pings import KINDS, PARTS, targets_of
from ansible_collections.podnet.calico.plugins.module_utils.verify.proof import objections


def work(module: AnsibleModule) -> Outcome:
    """Ping the targets."""
    given = module.params
    options = {name: given[name] for name in ("netns", "device", "count", "interval", "timeout", "wait")}
    targets = given["targets"]
    if given["plan"] is not None:
        plan = whole(given["plan"], PARTS)
        targets, options["device"] = targets_of(plan, given["to"]), given["device"] or plan["device"]
    rows = ping_all(targets, **options)
    return Outcome([], {"results": rows, "problems": objections(rows)})


def main() -> None:
    """Run the module."""
    spec = {
        "plan": {"type": "dict"},
        "to": {"type": "str", "choices": list(KINDS), "default": "pods_and_hosts"},
        "targets": {"type": "list", "elements": "dict", "options": PING_TARGET},
        "netns": {"type": "str"},
        "device": {"type": "str"},
        "count": {"type": "int", "default": 10},
        "interval": {"type": "float", "default": 0.05},
        "timeout": {"type": "float", "default": 1},
        "wait": {"type": "float", "default": 0},
    }
    options = {
        "required_one_of": [("plan", "targets")],
        "mutually_exclusive": [("plan", "targets")],
        "required_by": {"targets": ["device"]},
    }
    run(AnsibleModule(argument_spec=spec, supports_check_mode=True, **options), work)


if __name__ == "__main__":
    main()
