# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong in a FelixConfiguration or a ClusterInformation, which Calico reads and this collection only keeps.

Names and types of the fields are those of Calico's CRDs, v3.32 and its master of 2026. Other versions and editions have
further ones, which are kept; only what differs from a known name in its spelling is refused.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.resources.reading import Reading

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import Fields

_SWITCH = ("Enabled", "Disabled")
_LEVELS = ("Trace", "Debug", "Info", "Warning", "Error", "Fatal")


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FLAGS = _names(
    """
    allowIPIPPacketsFromWorkloads allowVXLANPacketsFromWorkloads bpfConnectTimeLoadBalancingEnabled
    bpfDisableUnprivileged bpfEnabled bpfHostConntrackBypass bpfIPFragmentReassemblyEnabled
    bpfKubeProxyIptablesCleanupEnabled bpfPolicyDebugEnabled debugDisableLogDropping disableConntrackInvalidCheck
    endpointReportingEnabled flowLogsCollectorDebugTrace genericXDPEnabled healthEnabled ipipEnabled ipv6Support
    prometheusGoMetricsEnabled prometheusMetricsEnabled prometheusProcessMetricsEnabled
    prometheusWireGuardMetricsEnabled removeExternalRoutes requireMTUFile routeSyncDisabled
    sidecarAccelerationEnabled usageReportingEnabled useInternalDataplaneDriver vxlanEnabled wireguardEnabled
    wireguardEnabledV6 wireguardHostEncryptionEnabled wireguardThreadingEnabled xdpEnabled
    """
)
NUMBERS = _names(
    """
    bpfExportBufferSizeMB bpfExtToServiceConnmark bpfKubeProxyHealthzPort bpfMaglevMaxEndpointsPerService
    bpfMaglevMaxServices bpfMapSizeConntrack bpfMapSizeConntrackCleanupQueue bpfMapSizeIPSets bpfMapSizeIfState
    bpfMapSizeNATAffinity bpfMapSizeNATBackend bpfMapSizeNATFrontend bpfMapSizePerCpuConntrack bpfMapSizeRoute
    debugPort deviceRouteProtocol goGCThreshold goMaxProcs goMemoryLimitMB healthPort ipipMTU iptablesMarkMask
    ipv4ElevatedRoutePriority ipv4NormalRoutePriority ipv6ElevatedRoutePriority ipv6NormalRoutePriority
    logActionRateLimitBurst maxIpsetSize metadataPort nftablesMarkMask prometheusMetricsPort vxlanMTU vxlanMTUV6
    vxlanPort vxlanVNI wireguardListeningPort wireguardListeningPortV6 wireguardMTU wireguardMTUV6
    wireguardRoutingRulePriority
    """
)
DURATIONS = _names(
    """
    bpfIPFragTimeout bpfKubeProxyMinSyncPeriod dataplaneWatchdogTimeout debugSimulateCalcGraphHangAfter
    debugSimulateDataplaneApplyDelay debugSimulateDataplaneHangAfter endpointReportingDelay flowLogsFlushInterval
    interfaceRefreshInterval ipsetsRefreshInterval iptablesLockProbeInterval iptablesPostWriteCheckInterval
    iptablesRefreshInterval liveMigrationRouteConvergenceTime localSubnetL2ReachabilityRefreshInterval
    netlinkTimeout nftablesRefreshInterval reportingInterval reportingTTL routeRefreshInterval
    usageReportingInitialDelay usageReportingInterval wireguardKeepAlive xdpRefreshInterval
    """
)
TEXTS = _names(
    """
    bpfCTLBLogFilter bpfDataIfacePattern bpfDisableGROForIfaces bpfL3IfacePattern cgroupV2Path dataplaneDriver
    debugHost debugMemoryProfilePath deviceRouteSourceAddress deviceRouteSourceAddressIPv6 endpointStatusPathPrefix
    featureDetectOverride featureGates flowLogsGoldmaneServer healthHost interfaceExclude interfacePrefix
    iptablesNATOutgoingInterfaceFilter logActionRateLimit logDebugFilenameRegex logFilePath logPrefix metadataAddr
    mtuIfacePattern natOutgoingAddress nodeSelector openstackRegion policySyncPathPrefix prometheusMetricsCAFile
    prometheusMetricsCertFile prometheusMetricsClientAuth prometheusMetricsHost prometheusMetricsKeyFile
    wireguardInterfaceName wireguardInterfaceNameV6
    """
)
LISTS_OF_TEXTS = _names("bpfDSROptoutCIDRs bpfExcludeCIDRsFromNAT bpfForceTrackPacketsFromIfaces externalNodesList")
NUMBERS_OR_TEXTS = _names("bpfPSNATPorts istioDSCPMark natPortRange")
MAPPINGS = _names("bpfConntrackTimeouts bpfLogFilters")
PORTS = ("failsafeInboundHostPorts", "failsafeOutboundHostPorts")
CHOICES: dict[str, tuple[str, ...]] = {
    "awsSrcDstCheck": ("DoNothing", "Enable", "Disable"),
    "bpfAttachType": ("TC", "TCX"),
    "bpfConnectTimeLoadBalancing": ("TCP", *_SWITCH),
    "bpfConntrackLogLevel": ("Off", "Debug"),
    "bpfConntrackMode": ("Auto", "Userspace", "BPFProgram"),
    "bpfHostNetworkedNATWithoutCTLB": _SWITCH,
    "bpfJITHardening": ("Auto", "Strict"),
    "bpfOverlayHostSourceIP": ("TunnelAddress", "HostAddress"),
    "bpfProfiling": _SWITCH,
    "bpfRedirectToPeer": (*_SWITCH, "L2Only"),
    "floatingIPs": _SWITCH,
    "flowLogsLocalReporter": _SWITCH,
    "flowLogsPolicyEvaluationMode": ("None", "Continuous"),
    "ipForwarding": _SWITCH,
    "iptablesBackend": ("Legacy", "NFT", "Auto"),
    "istioAmbientMode": _SWITCH,
    "localSubnetL2Reachability": ("Disabled", "PodsAndLoadBalancers"),
    "natOutgoingExclusions": ("IPPoolsOnly", "IPPoolsAndHostIPs"),
    "nftablesMode": (*_SWITCH, "Auto"),
    "programClusterRoutes": (*_SWITCH, "EnabledIPIPOnly", "EnabledNoEncapOnly"),
    "windowsManageFirewallRules": _SWITCH,
}
# Whose upper and lower case Calico does not mind, and which may be empty.
LOOSE_CHOICES: dict[str, tuple[str, ...]] = {
    "bpfEnforceRPF": ("Disabled", "Strict", "Loose"),
    "bpfExternalServiceMode": ("Tunnel", "DSR"),
    "bpfLogLevel": ("Off", "Info", "Debug"),
    "bpfMapSizeConntrackScaling": ("Disabled", "DoubleIfFull"),
    "chainInsertMode": ("Insert", "Append"),
    "defaultEndpointToHostAction": ("Drop", "Accept", "Return"),
    "iptablesFilterAllowAction": ("Accept", "Return"),
    "iptablesFilterDenyAction": ("Drop", "Reject"),
    "iptablesMangleAllowAction": ("Accept", "Return"),
    "logSeverityFile": _LEVELS,
    "logSeverityScreen": _LEVELS,
    "logSeveritySys": _LEVELS,
    "nftablesFilterAllowAction": ("Accept", "Return"),
    "nftablesFilterDenyAction": ("Drop", "Reject"),
    "nftablesMangleAllowAction": ("Accept", "Return"),
    "routeSource": ("WorkloadIPs", "CalicoIPAM"),
    "serviceLoopPrevention": ("Drop", "Reject", "Disabled"),
    "workloadSourceSpoofing": ("Disabled", "Any"),
}
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+|0|")  # of Felix, which takes an empty one


def _duration(spec: Fields, key: str) -> None:
    text = spec.text(key)
    if text is not None and not _DURATION.fullmatch(text):
        spec.refuse(key, "is not a duration", "Write it like 90s, 2m30s or 100ms")


def _number_or_text(spec: Fields, key: str) -> None:
    _port_range(spec, key, spec.values[key])


def _port_range(spec: Fields, path: str, value: t.Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        spec.refuse(path, "is neither a number nor a text", "Write it like 20000 or 20000:29999", value=value)


def _texts_by_name(spec: Fields, key: str) -> None:
    inner = spec.child(key)
    for name in inner.values:
        inner.text(name)


def _choice(spec: Fields, key: str) -> None:
    spec.choice(key, CHOICES[key])


def _loose_choice(spec: Fields, key: str) -> None:
    value = spec.values[key]
    if not isinstance(value, str) or value.lower() not in ("", *(each.lower() for each in LOOSE_CHOICES[key])):
        spec.choice(key, LOOSE_CHOICES[key])


def _port_ranges(spec: Fields, key: str) -> None:
    for index, item in enumerate(spec.items(key)):
        _port_range(spec, f"{key}[{index}]", item)


def _ports(spec: Fields, key: str) -> None:
    for item in spec.children(key):
        item.only(("net", "port", "protocol"))
        item.require("port", "Give the port's number")
        item.number("port", 0, 65535)
        item.text("net")
        item.text("protocol")


def _timeouts(spec: Fields, key: str) -> None:
    for item in spec.children(key):
        item.only(("name", "timeout"))
        for part in ("name", "timeout"):
            item.require(part, f"Give the {part}")
            item.text(part)


def _table_ranges(spec: Fields, key: str) -> None:
    for tables in spec.children(key) if key.endswith("s") else [spec.child(key)]:
        tables.only(("min", "max"))
        low = tables.number("min", 1, 2**32 - 1)
        for part in ("min", "max"):
            tables.require(part, "Give the first and the last number of a routing table")
        tables.number("max", low or 1, 2**32 - 1)


CHECKS: dict[str, t.Callable[[Fields, str], t.Any]] = {
    **dict.fromkeys(FLAGS, lambda spec, key: spec.flag(key)),
    **dict.fromkeys(NUMBERS, lambda spec, key: spec.number(key, -(2**31), 2**32 - 1)),
    **dict.fromkeys(DURATIONS, _duration),
    **dict.fromkeys(TEXTS, lambda spec, key: spec.text(key)),
    **dict.fromkeys(LISTS_OF_TEXTS, lambda spec, key: spec.texts(key)),
    **dict.fromkeys(NUMBERS_OR_TEXTS, _number_or_text),
    **dict.fromkeys(MAPPINGS, _texts_by_name),
    **dict.fromkeys(CHOICES, _choice),
    **dict.fromkeys(LOOSE_CHOICES, _loose_choice),
    **dict.fromkeys(PORTS, _ports),
    "healthTimeoutOverrides": _timeouts,
    "kubeNodePortRanges": _port_ranges,
    "routeTableRange": _table_ranges,
    "routeTableRanges": _table_ranges,
}


def check_felix(reading: Reading) -> None:
    """Check a FelixConfiguration."""
    spec = reading.spec
    known = {name.lower(): name for name in CHECKS}
    for key in spec.values:
        meant = known.get(str(key).lower().replace("_", ""))
        if meant not in (None, key):
            spec.refuse(key, "is not a field of Calico v3.32", f"Did you mean {meant}?")
    for key, check in CHECKS.items():
        if spec.values.get(key) is not None:
            check(spec, key)
    if not {"routeTableRange", "routeTableRanges"} - spec.values.keys():
        spec.refuse("routeTableRange", "contradicts routeTableRanges", "Give routeTableRanges alone")
    _check_scope(reading)


def _check_scope(reading: Reading) -> None:
    """Check that nodeSelector is there just where the name does not say for which nodes the configuration is."""
    named = reading.name == "default" or reading.name.startswith("node.")
    selector = reading.spec.selector("nodeSelector")
    if named and selector is not None:
        remedy = "Leave it out, or give the configuration another name"
        reading.spec.refuse("nodeSelector", f"is not possible in the configuration {reading.name}", remedy)
    elif not named and reading.name:
        reading.spec.require("nodeSelector", "Name it default for all nodes, node.<node> for one, or give a selector")


def check_cluster(reading: Reading) -> None:
    """Check a ClusterInformation."""
    spec = reading.spec
    reading.only_default()
    for key in ("calicoVersion", "clusterGUID", "clusterType", "variant"):
        spec.text(key)
    spec.flag("datastoreReady")
