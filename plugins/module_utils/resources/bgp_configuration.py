# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""BGPConfiguration: BGP settings of all nodes (named default) or of one (named node.<node>).

Rules and defaults follow Calico v3.32 (api/pkg/apis/projectcalico/v3/bgpconfig.go, lib/clientv3/bgpconfig.go).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.resources.as_number import read_as_number
from ansible_collections.podnet.calico.plugins.module_utils.resources.communities import (
    Community,
    PrefixAdvertisement,
    check_communities,
    read_advertisements,
    read_communities,
)
from ansible_collections.podnet.calico.plugins.module_utils.resources.duration import format_duration, read_duration
from ansible_collections.podnet.calico.plugins.module_utils.resources.interface_pattern import read_ignored_interfaces
from ansible_collections.podnet.calico.plugins.module_utils.resources.reading import Reading, open_document
from ansible_collections.podnet.calico.plugins.module_utils.resources.record import Record, build_document
from ansible_collections.podnet.calico.plugins.module_utils.resources.secret import SecretKeyRef, read_secret

if t.TYPE_CHECKING:  # pragma: no cover
    from decimal import Decimal

    from ansible_collections.podnet.calico.plugins.module_utils.ip import Address, Network
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

DEFAULT_ONLY = (
    *("nodeToNodeMeshEnabled", "asNumber", "serviceClusterIPs", "serviceExternalIPs", "serviceLoadBalancerIPs"),
    *("nodeMeshPassword", "nodeMeshMaxRestartTime"),
)
"""Fields that are meaningful for all nodes together alone."""

KNOWN = (
    *DEFAULT_ONLY,
    *("logSeverityScreen", "serviceLoadBalancerAggregation", "communities", "prefixAdvertisements", "listenPort"),
    *("bindMode", "ignoredInterfaces", "localWorkloadPeeringIPV4", "localWorkloadPeeringIPV6"),
    *("programClusterRoutes", "ipv4NormalRoutePriority", "ipv6NormalRoutePriority"),
)
LOG_LEVELS = ("Trace", "Debug", "Info", "Warning", "Error", "Fatal")
PROGRAMMING = ("Enabled", "Disabled", "EnabledIPIPOnly", "EnabledNoEncapOnly")  # the last two since Calico v3.33
MAX_PRIORITY = 2**31 - 2

DEFAULTS: dict[str, t.Any] = {
    "logSeverityScreen": "Info",
    "nodeToNodeMeshEnabled": True,
    "asNumber": 64512,
    "serviceLoadBalancerAggregation": "Enabled",
    "listenPort": 179,
    "bindMode": "None",
    "ipv4NormalRoutePriority": 1024,
    "ipv6NormalRoutePriority": 1024,
}
"""The defaults of the configuration named default; one of a single node has none, it would override the former's."""


@dataclass(frozen=True)
class BGPConfiguration:
    """A validated configuration; the one named default has all defaults filled in.

    program_cluster_routes stays None where it is not given, because what that means depends on Calico's version.
    node_mesh_max_restart_time is seconds.
    """

    name: str = "default"
    log_severity_screen: str | None = None
    node_to_node_mesh_enabled: bool | None = None
    as_number: int | None = None
    service_cluster_ips: tuple[Network, ...] = ()
    service_external_ips: tuple[Network, ...] = ()
    service_load_balancer_ips: tuple[Network, ...] = ()
    service_load_balancer_aggregation: str | None = None
    communities: tuple[Community, ...] = ()
    prefix_advertisements: tuple[PrefixAdvertisement, ...] = ()
    listen_port: int | None = None
    node_mesh_password: SecretKeyRef | None = None
    node_mesh_max_restart_time: Decimal | None = None
    bind_mode: str | None = None
    ignored_interfaces: tuple[str, ...] = ()
    local_workload_peering_ipv4: Address | None = None
    local_workload_peering_ipv6: Address | None = None
    program_cluster_routes: str | None = None
    ipv4_normal_route_priority: int | None = None
    ipv6_normal_route_priority: int | None = None
    labels: t.Mapping[str, str] = field(default_factory=dict)
    record: Record = field(default_factory=Record)

    @property
    def node(self) -> str | None:
        """Return the node that the configuration is for, None for all."""
        return None if self.name == "default" else self.name[len("node.") :]

    @classmethod
    def from_document(cls, document: t.Mapping[str, t.Any]) -> BGPConfiguration:
        """Return the configuration that a document describes, or raise InvalidInput with everything that is wrong."""
        reading = open_document(document, "BGPConfiguration")
        spec = reading.spec
        spec.only(KNOWN)
        _check_name(reading)
        defaults = DEFAULTS if reading.name == "default" else {}
        configuration = cls(
            name=reading.name,
            log_severity_screen=_log_level(spec, defaults),
            node_to_node_mesh_enabled=spec.flag("nodeToNodeMeshEnabled", defaults.get("nodeToNodeMeshEnabled")),
            as_number=read_as_number(spec, "asNumber") or defaults.get("asNumber"),
            service_cluster_ips=_networks(spec, "serviceClusterIPs"),
            service_external_ips=_networks(spec, "serviceExternalIPs"),
            service_load_balancer_ips=_networks(spec, "serviceLoadBalancerIPs"),
            service_load_balancer_aggregation=_choice(
                spec, "serviceLoadBalancerAggregation", ("Enabled", "Disabled"), defaults
            ),
            communities=read_communities(spec),
            prefix_advertisements=read_advertisements(spec),
            listen_port=spec.number("listenPort", 1, 65535, defaults.get("listenPort"), zero_is_absent=True),
            node_mesh_password=read_secret(spec, "nodeMeshPassword"),
            node_mesh_max_restart_time=read_duration(spec, "nodeMeshMaxRestartTime"),
            bind_mode=_choice(spec, "bindMode", ("None", "NodeIP"), defaults),
            ignored_interfaces=read_ignored_interfaces(spec),
            local_workload_peering_ipv4=spec.address("localWorkloadPeeringIPV4", 4),
            local_workload_peering_ipv6=spec.address("localWorkloadPeeringIPV6", 6),
            program_cluster_routes=_choice(spec, "programClusterRoutes", PROGRAMMING, defaults),
            ipv4_normal_route_priority=_priority(spec, "ipv4NormalRoutePriority", defaults),
            ipv6_normal_route_priority=_priority(spec, "ipv6NormalRoutePriority", defaults),
            labels=reading.labels,
            record=reading.record,
        )
        _check_mesh(configuration, spec)
        check_communities(spec, configuration.communities, configuration.prefix_advertisements)
        reading.finish()
        return configuration

    def to_document(self) -> dict[str, t.Any]:
        """Return the canonical document."""
        spec = {
            "logSeverityScreen": self.log_severity_screen,
            "nodeToNodeMeshEnabled": self.node_to_node_mesh_enabled,
            "asNumber": self.as_number,
            "serviceClusterIPs": _cidrs(self.service_cluster_ips),
            "serviceExternalIPs": _cidrs(self.service_external_ips),
            "serviceLoadBalancerIPs": _cidrs(self.service_load_balancer_ips),
            "serviceLoadBalancerAggregation": self.service_load_balancer_aggregation,
            "communities": [item.to_spec() for item in self.communities] or None,
            "prefixAdvertisements": [item.to_spec() for item in self.prefix_advertisements] or None,
            "listenPort": self.listen_port,
            "nodeMeshPassword": None if self.node_mesh_password is None else self.node_mesh_password.to_spec(),
            "nodeMeshMaxRestartTime": format_duration(self.node_mesh_max_restart_time),
            "bindMode": self.bind_mode,
            "ignoredInterfaces": list(self.ignored_interfaces) or None,
            "localWorkloadPeeringIPV4": _text(self.local_workload_peering_ipv4),
            "localWorkloadPeeringIPV6": _text(self.local_workload_peering_ipv6),
            "programClusterRoutes": self.program_cluster_routes,
            "ipv4NormalRoutePriority": self.ipv4_normal_route_priority,
            "ipv6NormalRoutePriority": self.ipv6_normal_route_priority,
        }
        return build_document("BGPConfiguration", self.name, self.labels, self.record, spec)


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _log_level(spec: Fields, defaults: t.Mapping[str, t.Any]) -> str | None:
    """Return the level, whose upper and lower case Calico does not mind."""
    given = spec.values.get("logSeverityScreen")
    if given in (None, ""):
        return t.cast("str | None", defaults.get("logSeverityScreen"))
    if isinstance(given, str) and given.capitalize() in LOG_LEVELS:
        return given.capitalize()
    return _choice(spec, "logSeverityScreen", LOG_LEVELS, defaults)


def _choice(spec: Fields, key: str, allowed: tuple[str, ...], defaults: t.Mapping[str, t.Any]) -> str | None:
    return t.cast("str | None", spec.choice(key, allowed, defaults.get(key)))


def _priority(spec: Fields, key: str, defaults: t.Mapping[str, t.Any]) -> int | None:
    return t.cast("int | None", spec.number(key, 1, MAX_PRIORITY, defaults.get(key)))


def _networks(spec: Fields, key: str) -> tuple[Network, ...]:
    found = []
    for item in spec.children(key):
        item.only(("cidr",))
        found.append(item.network("cidr", alone=True))
    return tuple(network for network in found if network is not None)


def _cidrs(networks: tuple[Network, ...]) -> list[dict[str, str]] | None:
    return [{"cidr": str(network)} for network in networks] or None


def _check_name(reading: Reading) -> None:
    name = reading.name
    if name == "default":
        return
    if not name.startswith("node.") or name == "node.":
        message = f'BGPConfiguration "{name}": metadata.name "{name}" is neither default nor node.<node>'
        reading.problems.append(InvalidInput(message, remedy="Use default for all nodes, or node. and a node's name"))
        return
    for key in DEFAULT_ONLY:
        if reading.spec.values.get(key) not in (None, []):
            remedy = "Set it in the configuration named default"
            reading.spec.refuse(key, "is possible in the configuration named default alone", remedy)


def _check_mesh(configuration: BGPConfiguration, spec: Fields) -> None:
    if configuration.node_to_node_mesh_enabled is not False:
        return
    for key in ("nodeMeshPassword", "nodeMeshMaxRestartTime"):
        if spec.values.get(key) is not None:
            spec.refuse(key, "needs the node-to-node mesh, which is disabled", "Leave it out, or enable the mesh")
