#!/usr/bin/python
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage a BGPFilter."""

from __future__ import annotations

DOCUMENTATION = r"""
module: calico_bgp_filter
short_description: Manage a BGPFilter, rules for the routes that BGP sessions import and export
version_added: 1.0.0
author:
  - podnet.calico contributors (!UNKNOWN)
description:
  - Creates, changes and deletes Calico's BGPFilter resource in the datastore. A filter acts on the sessions of the
    BGPPeers that name it.
  - Of each list, the first rule that matches a route decides. A route that no rule matches is treated as if there
    were no filter.
  - A list that is given replaces the stored one as a whole; V([]) empties it. A list that is not given keeps its rules.
extends_documentation_fragment:
  - podnet.calico.attributes
  - podnet.calico.datastore
  - podnet.calico.datastore.resource
options:
  name:
    description: The filter's name.
    type: str
    required: true
  import_v4:
    description: Rules for IPv4 routes that come from the other end, in their order.
    type: list
    elements: dict
    suboptions: &rule
      action:
        description: Whether a route that matches passes.
        type: str
        required: true
        choices: [Accept, Reject]
      cidr:
        description: Network to compare the route's destination with, as O(import_v4[].match_operator) says.
        type: str
      match_operator:
        description:
          - V(In) matches O(import_v4[].cidr) and everything inside of it, V(Equal) that network alone.
          - V(NotIn) and V(NotEqual) match what these do not.
        type: str
        choices: [Equal, NotEqual, In, NotIn]
      prefix_length:
        description: Limits of the destination's prefix length, within O(import_v4[].cidr).
        type: dict
        suboptions:
          min:
            description: The shortest; never below that of O(import_v4[].cidr).
            type: int
          max:
            description: The longest.
            type: int
      source:
        description: With V(RemotePeers), only routes that were learned by BGP match.
        type: str
        choices: [RemotePeers]
      interface:
        description: Name or pattern, like V(eth*), of the interface that the route leads out of.
        type: str
      peer_type:
        description: Whether the rule is for sessions with another AS or with the own one. Without it, it is for both.
        type: str
        choices: [eBGP, iBGP]
      communities:
        description: One community in quotes, like V("65000:100") or V("65000:1:100"), that the route carries.
        type: list
        elements: raw
      as_path_prefix:
        description: AS numbers, or halves of them in quotes, that the route's AS path begins with.
        type: list
        elements: raw
      priority:
        description: The route's priority, which is 2147483647 less its LOCAL_PREF.
        type: int
      operations:
        description: Up to ten changes of a route that is accepted, in their order, one per element.
        type: list
        elements: dict
        suboptions:
          add_community:
            description: Community in quotes to add.
            type: raw
          prepend_as_path:
            description: Up to ten AS numbers; the AS path then begins with them, in this order.
            type: list
            elements: raw
          set_priority:
            description: The new priority; the lower one is preferred.
            type: int
  export_v4:
    description: Rules for IPv4 routes that go to the other end, in their order.
    type: list
    elements: dict
    suboptions: *rule
  import_v6:
    description: Rules for IPv6 routes that come from the other end, in their order.
    type: list
    elements: dict
    suboptions: *rule
  export_v6:
    description: Rules for IPv6 routes that go to the other end, in their order.
    type: list
    elements: dict
    suboptions: *rule
seealso:
  - module: podnet.calico.calico_bgp_peer
  - module: podnet.calico.calico_resource_info
"""

EXAMPLES = r"""
- name: Take the default route from routers, and nothing else but pods
  podnet.calico.calico_bgp_filter:
    name: default-route
    import_v4:
      - action: Accept
        cidr: 0.0.0.0/0
        match_operator: Equal

- name: Mark what goes to another AS, and keep single addresses back
  podnet.calico.calico_bgp_filter:
    name: to-routers
    export_v4:
      - action: Reject
        cidr: 10.244.0.0/16
        match_operator: In
        prefix_length: {min: 32}
      - action: Accept
        cidr: 10.244.0.0/16
        match_operator: In
        peer_type: eBGP
        operations:
          - add_community: "64512:100"
          - prepend_as_path: [64512, 64512]
"""

RETURN = r"""
resource:
  description: The filter in canonical form; null if it is absent.
  returned: success
  type: dict
  sample:
    apiVersion: projectcalico.org/v3
    kind: BGPFilter
    metadata: {name: default-route, resourceVersion: "1"}
    spec: {importV4: [{action: Accept, cidr: 0.0.0.0/0, matchOperator: Equal}]}
changes:
  description: What was changed, or would be in check mode.
  returned: success
  type: list
  elements: dict
  sample: [{action: create, kind: BGPFilter, name: default-route}]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.podnet.calico.plugins.module_utils import argspec
from ansible_collections.podnet.calico.plugins.module_utils.changes import Outcome
from ansible_collections.podnet.calico.plugins.module_utils.datastore.converge import converge_one
from ansible_collections.podnet.calico.plugins.module_utils.module import Module
from ansible_collections.podnet.calico.plugins.module_utils.resources import option_specs, options
from ansible_collections.podnet.calico.plugins.module_utils.runner import run


def work(module: AnsibleModule) -> Outcome:
    """Make the filter present or absent."""
    return converge_one(module, options.bgp_filter(module.params))


def main() -> None:
    """Run the module."""
    run(Module(argument_spec={**argspec.resource(), **option_specs.BGP_FILTER}, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
