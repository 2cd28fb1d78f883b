#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_firewall
short_description: Let the pod network through a host's firewall
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Lets in what the plan of a node needs, from the addresses of the other nodes and of BGP peers only, and lets through
    what pods send and what belongs to it. Nothing else is opened, and no rule of others is changed.
  - With firewalld it is two policies and sets of addresses in C(/etc/firewalld), which hold whatever the zones are; it
    is reloaded when they change. With ufw it is a marked block in C(/etc/ufw/before.rules) and C(before6.rules).
  - Without either, a packet that one base chain drops is dropped, whatever a table of our own accepts. With O(insert)
    each chain of nftables or iptables that drops gets one marked rule at its top, which leads to a chain of ours in the
    same table. Reloads and boots take such rules away; C(podnet-calico-firewall.service) puts them back with them.
  - Where nothing drops, nothing is done.
requirements:
  - Linux, root; C(nft) for reading nftables; firewalld 0.9 or newer if that is what runs
extends_documentation_fragment:
  - podnet.calico.attributes
options:
  plan:
    description:
      - The node's plan, whole or compact, as M(podnet.calico.calico_plan) returns it. What it needs is let through
        beside what O(open), O(nodes), O(peers) and O(pods) say.
    type: dict
  open:
    description:
      - What nodes send to each other, as C(requirements.open) of a plan has it, such as V(ip protocol 4), V(udp 4789)
        or V(tcp 179). Needed for O(state=present), unless there is a O(plan).
    type: list
    elements: str
  nodes:
    description: Addresses of the other nodes. Needed for O(state=present) without O(plan); the list is complete.
    type: list
    elements: str
  peers:
    description: BGP peers that are not nodes, such as routers, as C(requirements.peers) of a plan has them.
    type: list
    elements: dict
    default: []
    suboptions:
      address:
        description: Address of the peer.
        type: str
        required: true
      port:
        description: TCP port that the peer listens on.
        type: int
        default: 179
      local_port:
        description: TCP port that this host listens on.
        type: int
        default: 179
  pods:
    description: Networks that pods have addresses of, in CIDR notation. What pods send is forwarded, to wherever.
    type: list
    elements: str
    default: []
  clients:
    description:
      - Addresses and networks, beside pods and O(nodes), from which connections to pods are let through, such as those
        of load balancers.
    type: list
    elements: str
    default: []
  backend:
    description:
      - Which firewall to talk to. V(auto) takes firewalld if it runs, else ufw if it is enabled, else V(chains).
    type: str
    choices: [auto, firewalld, ufw, chains]
    default: auto
  insert:
    description:
      - Whether chains of others that drop may get a rule, with V(chains). Without it the module fails where that would
        be needed, and says which rules are missing where.
    type: bool
    default: false
  state:
    description: V(absent) takes out everything that is ours, of all firewalls.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: podnet.calico.calico_plan
  - module: podnet.calico.calico_preflight_info
  - module: podnet.calico.calico_probe
"""

EXAMPLES = r"""
- name: Let in VXLAN and BGP from two other nodes, and forward for pods
  podnet.calico.calico_firewall:
    open: [udp 4789, tcp 179]
    nodes: [192.0.2.12, 192.0.2.13]
    pods: [10.244.0.0/16]

- name: The same, and BGP from a router, on a host with its own nftables.conf, whose chains drop
  podnet.calico.calico_firewall:
    open: [udp 4789, tcp 179]
    nodes: [192.0.2.12, 192.0.2.13]
    peers:
      - address: 192.0.2.1
    pods: [10.244.0.0/16]
    insert: true

- name: Let in what the plan needs
  podnet.calico.calico_firewall:
    plan: "{{ plan_of_node }}"

- name: Close everything again
  podnet.calico.calico_firewall:
    state: absent
"""

RETURN = r"""
backend:
  description: The firewall that lets the pod network through; C(none) where nothing drops.
  returned: success
  type: str
  sample: firewalld
closed:
  description: Chains that drop still, as the firewall that was chosen does not look after them; each is a warning.
  returned: success
  type: list
  elements: dict
  sample: [{place: "iptables-nft, table ip filter, chain FORWARD", why: policy drop}]
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: file, name: /etc/firewalld/policies/podnet-nodes.xml}]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.firewall import ensure, wanted
from ansible_collections.podnet.calico.plugins.module_utils.planner.handover import whole
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def with_plan(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the options with what a plan among them needs; raises InvalidInput for what is no plan."""
    if params["plan"] is None:
        return dict(params)
    plan = whole(params["plan"], ("nat", "requirements"))
    needed = {**plan["requirements"], "pods": plan["nat"]["pools"]}
    return {**params, **{key: [*needed[key], *(params[key] or [])] for key in ("open", "nodes", "peers", "pods")}}


def work(module: AnsibleModule) -> Outcome:
    """Let through what is needed, or take it back."""
    params = module.params
    if params["state"] == "absent":
        return ensure.remove(check_mode=module.check_mode)
    return ensure.ensure(
        wanted.parse(with_plan(params)),
        backend=params["backend"],
        insert=params["insert"],
        check_mode=module.check_mode,
    )


def main() -> None:
    """Run the module."""
    texts = {"type": "list", "elements": "str"}
    peer = {
        "address": {"type": "str", "required": True},
        "port": {"type": "int", "default": 179},
        "local_port": {"type": "int", "default": 179},
    }
    spec = {
        "plan": {"type": "dict"},
        "open": texts,
        "nodes": texts,
        "peers": {"type": "list", "elements": "dict", "options": peer, "default": []},
        "pods": {**texts, "default": []},
        "clients": {**texts, "default": []},
        "backend": {"type": "str", "choices": ["auto", "firewalld", "ufw", "chains"], "default": "auto"},
        "insert": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    required = [("state", "present", ["plan", "open"], True)]
    options = {"required_if": required, "required_by": {"open": ["nodes"]}, "supports_check_mode": True}
    run(AnsibleModule(argument_spec=spec, **options), work)


if __name__ == "__main__":
    main()
