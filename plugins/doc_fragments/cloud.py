# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the options that the modules for clouds share."""

from __future__ import annotations


class ModuleDocFragment:
    """What is wanted of a cloud, shared by the modules that bring one in line."""

    DOCUMENTATION = r"""
options:
  encapsulations:
    description: The encapsulations of the pools. Needed unless O(state=absent).
    type: list
    elements: str
    choices: ['None', IPIP, IPIPCrossSubnet, VXLAN, VXLANCrossSubnet]
  purge:
    description: Take back what is ours and the encapsulations do not need.
    type: bool
    default: false
  state:
    description: Whether the nodes are to carry pods' packets, or all is taken back.
    type: str
    choices: [present, absent]
    default: present
"""

    RULES = r"""
options:
  bgp:
    description: Whether nodes have BGP sessions. V(auto) for whenever an encapsulation does without VXLAN.
    type: str
    choices: [auto, enabled, disabled]
    default: auto
  bgp_port:
    description: TCP port of BGP.
    type: int
    default: 179
  rules:
    description: Whether to look after rules between the nodes. Rules of others that let enough pass are left alone.
    type: bool
    default: true
"""
