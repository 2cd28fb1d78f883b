# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules that manage one resource, by name; an inventory's structures have the same ones."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.calico import ENCAPSULATIONS
from ansible_collections.podnet.calico.plugins.module_utils.resources import options
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_configuration import PROGRAMMING

Spec = t.Dict[str, t.Dict[str, t.Any]]

# Refers to a key of a Kubernetes Secret; it holds no secret itself.
SECRET: dict[str, t.Any] = {
    "type": "dict",
    "no_log": False,
    "options": {
        "name": {"type": "str", "required": True},
        "key": {"type": "str", "required": True, "no_log": False},
        "optional": {"type": "bool"},
    },
}
_MODES = ["Never", "Always", "CrossSubnet"]

IPPOOL: Spec = {
    "cidr": {"type": "str"},
    "block_size": {"type": "int"},
    "encapsulation": {"type": "str", "choices": list(ENCAPSULATIONS)},
    "ipip_mode": {"type": "str", "choices": _MODES, "aliases": ["ipipMode"]},
    "vxlan_mode": {"type": "str", "choices": _MODES, "aliases": ["vxlanMode"]},
    "nat_outgoing": {"type": "bool"},
    "disabled": {"type": "bool"},
    "disable_bgp_export": {"type": "bool"},
    "node_selector": {"type": "str"},
    "namespace_selector": {"type": "str"},
    "allowed_uses": {"type": "list", "elements": "str", "choices": ["Workload", "Tunnel", "LoadBalancer"]},
    "assignment_mode": {"type": "str", "choices": ["Automatic", "Manual"]},
}

BGP_PEER: Spec = {
    "node": {"type": "str"},
    "node_selector": {"type": "str"},
    "peer_ip": {"type": "str"},
    "peer_selector": {"type": "str"},
    "local_workload_selector": {"type": "str"},
    "as_number": {"type": "raw"},
    "local_as_number": {"type": "raw"},
    "keep_original_next_hop": {"type": "bool"},
    "next_hop_mode": {"type": "str", "choices": ["Auto", "Self", "Keep"]},
    "password": SECRET,
    "source_address": {"type": "str", "choices": ["UseNodeIP", "None"]},
    "max_restart_time": {"type": "str"},
    "keepalive_time": {"type": "str"},
    "num_allowed_local_as_numbers": {"type": "int"},
    "ttl_security": {"type": "int"},
    "reachable_by": {"type": "str"},
    "filters": {"type": "list", "elements": "str"},
    "reverse_peering": {"type": "str", "choices": ["Auto", "Manual"]},
}

_OPERATION: Spec = {
    "add_community": {"type": "raw"},
    "prepend_as_path": {"type": "list", "elements": "raw"},
    "set_priority": {"type": "int"},
}
_RULE: Spec = {
    "action": {"type": "str", "required": True, "choices": ["Accept", "Reject"]},
    "cidr": {"type": "str"},
    "match_operator": {"type": "str", "choices": ["Equal", "NotEqual", "In", "NotIn"]},
    "prefix_length": {"type": "dict", "options": {"min": {"type": "int"}, "max": {"type": "int"}}},
    "source": {"type": "str", "choices": ["RemotePeers"]},
    "interface": {"type": "str"},
    "peer_type": {"type": "str", "choices": ["eBGP", "iBGP"]},
    "communities": {"type": "list", "elements": "raw"},
    "as_path_prefix": {"type": "list", "elements": "raw"},
    "priority": {"type": "int"},
    "operations": {"type": "list", "elements": "dict", "options": _OPERATION},
}
BGP_FILTER: Spec = {name: {"type": "list", "elements": "dict", "options": _RULE} for name in options.BGP_FILTER}

_COMMUNITY: Spec = {"name": {"type": "str", "required": True}, "value": {"type": "raw", "required": True}}
_ADVERTISEMENT: Spec = {"cidr": {"type": "str", "required": True}, "communities": {"type": "list", "elements": "str"}}
_LEVELS = ["Trace", "Debug", "Info", "Warning", "Error", "Fatal"]

BGP_CONFIGURATION: Spec = {
    "log_severity_screen": {"type": "str", "choices": _LEVELS},
    "node_to_node_mesh_enabled": {"type": "bool"},
    "as_number": {"type": "raw"},
    "service_cluster_ips": {"type": "list", "elements": "str"},
    "service_external_ips": {"type": "list", "elements": "str"},
    "service_load_balancer_ips": {"type": "list", "elements": "str"},
    "service_load_balancer_aggregation": {"type": "str", "choices": ["Enabled", "Disabled"]},
    "communities": {"type": "list", "elements": "dict", "options": _COMMUNITY},
    "prefix_advertisements": {"type": "list", "elements": "dict", "options": _ADVERTISEMENT},
    "listen_port": {"type": "int"},
    "node_mesh_password": SECRET,
    "node_mesh_max_restart_time": {"type": "str"},
    "bind_mode": {"type": "str", "choices": ["None", "NodeIP"]},
    "ignored_interfaces": {"type": "list", "elements": "str"},
    "local_workload_peering_ipv4": {"type": "str"},
    "local_workload_peering_ipv6": {"type": "str"},
    "program_cluster_routes": {"type": "str", "choices": list(PROGRAMMING)},
    "ipv4_normal_route_priority": {"type": "int"},
    "ipv6_normal_route_priority": {"type": "int"},
}
