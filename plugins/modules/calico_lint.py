#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_lint
short_description: Find mistakes in the topology of a cluster without looking at a host
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Reads resources of a cluster, plans the BGP sessions of all nodes, and looks for what cannot work or is a risk.
  - Among it are route reflectors without redundancy, sessions that never come up, nodes that do not learn of each
    other's blocks, ranges that overlap, and names that lead nowhere.
  - docs/lint.md lists all rules. Changes nothing, and reads nothing but the resources.
  - Kinds that the collection does not manage are passed over.
extends_documentation_fragment:
  - podnet.calico.attributes.info
options:
  src:
    description:
      - A file of Calico's resources as C(calicoctl get -o yaml) prints them, or a directory in and below which all
        files ending in C(.yaml), C(.yml) or C(.json) are read; a directory of the datastore's driver V(file), too.
    type: path
  resources:
    description: The documents themselves.
    type: list
    elements: dict
  bgp:
    description:
      - Whether BIRD routes. V(auto) says yes if a pool does without VXLAN, or if there is a BGPPeer.
      - With V(disabled) nothing about sessions is checked.
    type: str
    choices: [auto, enabled, disabled]
    default: auto
  failure_domain_label:
    description: The label of nodes whose equal values mean that they fail together.
    type: str
    default: topology.kubernetes.io/zone
  allow_cut_off:
    description: Nodes (their names) that may be left without BGP routes to or from others; see docs/lint.md.
    type: list
    elements: str
    default: []
  fail_on:
    description: The severity of a finding from which on the module fails.
    type: str
    choices: [error, warning, never]
    default: error
seealso:
  - module: podnet.calico.calico_plan
"""

EXAMPLES = r"""
- name: Check a directory of resources before they are applied
  podnet.calico.calico_lint:
    src: calico/
    fail_on: warning

- name: Look at what is found without failing
  podnet.calico.calico_lint:
    src: calico.yml
    failure_domain_label: rack
    fail_on: never
  register: lint
"""

RETURN = r"""
findings:
  description: What is wrong, errors first.
  returned: always
  type: list
  elements: dict
  sample:
    - rule: single-reflector
      severity: warning
      subject: {kind: Node, name: node1}
      message: "it is the only route reflector of node2, node3: without it they lose their routes"
      remedy: Make a second node a route reflector, and its clients' peer
counts:
  description: How many findings there are of each severity.
  returned: always
  type: dict
  sample: {error: 0, warning: 1}
unchecked:
  description: Rules that could not be checked on something, and why.
  returned: always
  type: list
  elements: dict
  sample:
    - rule: peer-without-route
      subject: {kind: BGPPeer, name: router}
      reason: "the subnet of node1 is not known: give the address with its prefix length"
lines:
  description: The same as a person reads it.
  returned: always
  type: list
  elements: str
  sample: ["errors: 0, warnings: 0"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.documents import read_documents
from ansible_collections.podnet.calico.plugins.module_utils.planner import lint
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def report_of(params: t.Mapping[str, t.Any]) -> lint.Report:
    """Return the report on the resources that the options name."""
    given = params["resources"] or [] if params["src"] is None else read_documents(params["src"])
    return lint.report(given, params["bgp"], params["failure_domain_label"], params["allow_cut_off"])


def work(module: AnsibleModule) -> Outcome:
    """Report, and fail from the severity on that the user names."""
    report = report_of(module.params)
    facts: dict[str, t.Any] = {
        "findings": [finding.as_dict() for finding in report.findings],
        "counts": report.counts,
        "unchecked": [skip.as_dict() for skip in report.skipped],
        "lines": report.lines(),
    }
    fatal = {"error": ["error"], "warning": ["error", "warning"], "never": []}[module.params["fail_on"]]
    if any(report.counts[severity] for severity in fatal):
        module.fail_json(msg="\n".join(facts["lines"]), **facts)
    return Outcome([], facts)


def main() -> None:
    """Run the module."""
    spec = {
        "src": {"type": "path"},
        "resources": {"type": "list", "elements": "dict"},
        "bgp": {"type": "str", "choices": ["auto", "enabled", "disabled"], "default": "auto"},
        "failure_domain_label": {"type": "str", "default": lint.ZONE_LABEL},
        "allow_cut_off": {"type": "list", "elements": "str", "default": []},
        "fail_on": {"type": "str", "choices": ["error", "warning", "never"], "default": "error"},
    }
    exclusive = [["src", "resources"]]
    module = AnsibleModule(
        argument_spec=spec, mutually_exclusive=exclusive, required_one_of=exclusive, supports_check_mode=True
    )
    run(module, work)


if __name__ == "__main__":
    main()
