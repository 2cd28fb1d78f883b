#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compute BGP sessions from documents."""

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_bgp_plan
short_description: Compute nodes' BGP sessions and filters from resources, without touching a host
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Takes documents of Calico's resources, of whatever cluster, and returns for each node the BGP sessions that Calico
    would configure for them, the filters that these use, and what the node advertises.
  - Needs neither a datastore nor root. Changes nothing.
extends_documentation_fragment:
  - podnet.calico.attributes.info
options:
  src:
    description:
      - A file with documents as calicoctl prints them, or a directory of which all YAML and JSON files are read.
      - Exactly one of O(src) and O(resources) is given.
    type: path
  resources:
    description: The documents themselves, with C(apiVersion), C(kind), C(metadata) and C(spec).
    type: list
    elements: dict
  nodes:
    description: The names of the nodes to return; all nodes if not given.
    type: list
    elements: str
seealso:
  - module: podnet.calico.calico_plan
"""

EXAMPLES = r"""
- name: Compute the sessions of node1 in what another cluster has
  podnet.calico.calico_bgp_plan:
    src: exported/
    nodes: [node1]
  delegate_to: localhost
  register: planned

- name: Print them
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.address }} AS {{ item.remote_as }}{{ ', passive' if item.passive }}"
  loop: "{{ planned.bgp.node1.sessions }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
bgp:
  description:
    - Node name to its part of BGP, null for a node that has no IP version in common with the pools.
    - A session has C(name), C(kind) (C(mesh), C(node) or C(global)), C(family), C(address), C(port), C(remote_as),
      C(local_as), C(peer) (a node's name or null), C(source), C(passive), C(rr_client), C(reflects), C(next_hop),
      C(password) (where it is, never what it is), C(restart_time), C(keepalive_time), C(allowed_local_as),
      C(ttl_security), C(reachable_by) and C(filters).
  returned: success
  type: dict
  sample:
    node1:
      router_id: 192.0.2.11
      local_as: 64512
      sessions:
        - {name: bgp_192_0_2_12, kind: mesh, family: 4, address: 192.0.2.12, remote_as: 64512, passive: true}
skipped:
  description: The documents that are none of ours, each with C(kind), C(name) and C(reason).
  returned: success
  type: list
  elements: dict
  sample: [{kind: NetworkPolicy, name: deny, reason: the kind is not managed by this collection}]
problems:
  description: What M(podnet.calico.calico_plan) would refuse, such as a BGPFilter that does not exist.
  returned: success
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.documents import read_documents, sort_out
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, raise_all
from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp import sessions_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.check_bgp import session_problems
from ansible_collections.podnet.calico.plugins.module_utils.planner.snapshot import read
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import normalise
from ansible_collections.podnet.calico.plugins.module_utils.runner import run

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Cluster

SPEC = {
    "src": {"type": "path"},
    "resources": {"type": "list", "elements": "dict"},
    "nodes": {"type": "list", "elements": "str"},
}
SOURCES = ("src", "resources")


def work(module: AnsibleModule) -> Outcome:
    """Plan the sessions of the nodes that are asked for."""
    src = module.params["src"]
    documents, skipped = sort_out(module.params["resources"] or [] if src is None else read_documents(src))
    cluster = read(_snapshot(documents))
    names = sorted(cluster.nodes) if module.params["nodes"] is None else module.params["nodes"]
    raise_all([_unknown(name, cluster) for name in names if name not in cluster.nodes])
    planned = sessions_of(cluster, names)
    problems = [str(problem) for problem in session_problems(cluster, planned)]
    bgp = {name: planned[name].as_dict() if name in planned else None for name in names}
    return Outcome([], {"bgp": bgp, "skipped": skipped, "problems": problems})


def _snapshot(documents: t.Sequence[dict[str, t.Any]]) -> dict[tuple[str, str], dict[str, t.Any]]:
    """Return documents in canonical form; what contradicts others is no reason to refuse, since nothing is stored."""
    canonical = [normalise(document) for document in documents]
    return {(document["kind"], document["metadata"]["name"]): document for document in canonical}


def _unknown(name: str, cluster: Cluster) -> InvalidInput:
    known = ", ".join(sorted(cluster.nodes)[:10]) or "none"
    return InvalidInput(
        f'plan the BGP sessions of "{name}": there is no Node of that name', remedy=f"Nodes are: {known}"
    )


def main() -> None:
    """Run the module."""
    options = {"mutually_exclusive": [SOURCES], "required_one_of": [SOURCES], "supports_check_mode": True}
    run(AnsibleModule(argument_spec=SPEC, **options), work)


if __name__ == "__main__":
    main()
