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

from ansible_collections.podnet.calico.plugins.module_utils.resources.duration import read_duration
from ansible_collections.podnet.calico.plugins.module_utils.resources.fields import scalar_text, whole
from ansible_collections.podnet.calico.plugins.module_utils.resources.ipam import check_networks
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
    bpfExportBufferSizeMB bpfKubeProxyHealthzPort bpfMaglevMaxEndpointsPerService
    bpfMaglevMaxServices bpfMapSizeConntrack bpfMapSizeConntrackCleanupQueue bpfMapSizeIPSets bpfMapSizeIfState
    bpfMapSizeNATAffinity bpfMapSizeNATBackend bpfMapSizeNATFrontend bpfMapSizePerCpuConntrack bpfMapSizeRoute
    deviceRouteProtocol goMaxProcs healthPort ipipMTU
    ipv4ElevatedRoutePriority ipv4NormalRoutePriority ipv6ElevatedRoutePriority ipv6NormalRoutePriority
    logActionRateLimitBurst maxIpsetSize metadataPort prometheusMetricsPort vxlanMTU vxlanMTUV6 vxlanPort vxlanVNI
    wireguardMTU wireguardMTUV6
    """
)
BOUNDED_NUMBERS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(_names("bpfExtToServiceConnmark iptablesMarkMask nftablesMarkMask"), (0, 2**32 - 1)),
    **dict.fromkeys(_names("goGCThreshold goMemoryLimitMB"), (-1, 2**63 - 1)),
    **dict.fromkeys(_names("wireguardListeningPort wireguardListeningPortV6"), (1, 65535)),
    "debugPort": (0, 65535),
    "wireguardRoutingRulePriority": (1, 32765),
}
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
    bpfCTLBLogFilter cgroupV2Path dataplaneDriver debugHost debugMemoryProfilePath endpointStatusPathPrefix
    flowLogsGoldmaneServer healthHost interfaceExclude interfacePrefix logActionRateLimit logFilePath logPrefix
    metadataAddr nodeSelector policySyncPathPrefix prometheusMetricsCAFile prometheusMetricsCertFile
    prometheusMetricsClientAuth prometheusMetricsKeyFile
    """
)
_FILTER = r"[A-Za-z0-9:._+-]{1,15}"
_PAIR = r"\s*\w+=[^,\n]*"
FORMS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(_names("wireguardInterfaceName wireguardInterfaceNameV6"), (r"[A-Za-z0-9_.-]{1,15}|\*", "wg0")),
    **dict.fromkeys(_names("featureDetectOverride featureGates"), (rf"({_PAIR}|)(,({_PAIR}|))*|\s*", "A=b,C=d")),
    "iptablesNATOutgoingInterfaceFilter": (_FILTER, "eth+"),
    "openstackRegion": (r"[a-z0-9]([-a-z0-9]{0,44}[a-z0-9])?", "region1"),
    "prometheusMetricsHost": (r"[A-Za-z0-9:._+-]{1,64}", "192.0.2.1"),
}
"""The regular expression of a text, and an example."""

PATTERNS = _names("bpfDataIfacePattern bpfDisableGROForIfaces bpfL3IfacePattern logDebugFilenameRegex mtuIfacePattern")
ADDRESSES = {"natOutgoingAddress": 4, "deviceRouteSourceAddress": 4, "deviceRouteSourceAddressIPv6": 6}
NETWORKS = {"bpfDSROptoutCIDRs": 0, "bpfExcludeCIDRsFromNAT": 0, "externalNodesList": 4}
"""Lists of networks and addresses, and their IP version, 0 for both."""
NUMBERS_OR_TEXTS = ("istioDSCPMark",)
PORT_RANGES = _names("bpfPSNATPorts natPortRange")
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
_FOREIGN_TO_GO = re.compile(r"\(\?(?![a-zA-Z-]*[:)]|P?<[A-Za-z_])|\\[1-9]")  # look-around and back-references
_PORTS = re.compile(r"([0-9]{1,5})(?::([0-9]{1,5}))?")
_TIMEOUT_NAME = re.compile(r"[A-Za-z0-9_ -]+")
_MOST_PORT_RANGES = 7  # of iptables' multiport match
_MOST_TABLES = 0xFFFF


def _formed(spec: Fields, key: str) -> None:
    form, example = FORMS[key]
    text = spec.text(key)
    if text is not None and not re.fullmatch(form, text, re.ASCII):
        spec.refuse(key, "has not the form that Felix takes", f"Write it like {example}")


def _pattern(spec: Fields, key: str) -> None:
    """Check a regular expression of Go, as far as one of Python differs."""
    text = spec.text(key)
    try:
        if text is not None and not _FOREIGN_TO_GO.search(text):
            re.compile(text)
            return
    except (re.error, OverflowError, RecursionError):
        pass
    if text is not None:
        spec.refuse(key, "is not a regular expression of Go", "Correct it; Go has no look-around, no back-references")


def _interfaces(spec: Fields, key: str) -> None:
    for name in spec.texts(key):
        if not re.fullmatch(_FILTER, name):
            spec.refuse(key, "has an element that is not an interface", "Write it like eth0 or docker+", value=name)


def _number_or_text(spec: Fields, key: str) -> None:
    value = spec.values[key]
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        spec.refuse(key, "is neither a number nor a text", "Write it like 10 or AF11")


def _port_range(spec: Fields, path: str, value: t.Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        spec.refuse(path, "is neither a number nor a text", "Write it like 20000 or 20000:29999", value=value)
        return
    match = _PORTS.fullmatch(str(value))
    low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= low <= high <= 65535:
        spec.refuse(path, "is not a range of ports", "Write it like 20000 or 20000:29999", value=value)


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
    ranges = spec.items(key)
    if len(ranges) > _MOST_PORT_RANGES:
        spec.refuse(key, f"has more than {_MOST_PORT_RANGES} elements", "Join some", value=len(ranges))
    for index, item in enumerate(ranges):
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
        read_duration(item, "timeout")
        name = item.text("name")
        if name is not None and not _TIMEOUT_NAME.fullmatch(name):
            item.refuse("name", "is not a name of a part of Felix", "Use letters, digits, _, - and blanks")


def _table_ranges(spec: Fields, key: str) -> None:
    several, count = key.endswith("s"), 0
    last = 2**32 - 1 if several else 250
    for tables in spec.children(key) if several else [spec.child(key)]:
        tables.only(("min", "max"))
        low = tables.number("min", 1, last)
        for part in ("min", "max"):
            tables.require(part, "Give the first and the last number of a routing table")
        high = tables.number("max", low or 1, last)
        count += high - low + 1 if low and high else 0
    if count > _MOST_TABLES:
        spec.refuse(key, f"has {count} tables, more than {_MOST_TABLES}", "Give fewer", value=count)


CHECKS: dict[str, t.Callable[[Fields, str], t.Any]] = {
    **dict.fromkeys(FLAGS, lambda spec, key: spec.flag(key)),
    **dict.fromkeys(NUMBERS, lambda spec, key: spec.number(key, -(2**63), 2**63 - 1)),
    **dict.fromkeys(BOUNDED_NUMBERS, lambda spec, key: spec.number(key, *BOUNDED_NUMBERS[key])),
    **dict.fromkeys(DURATIONS, read_duration),
    **dict.fromkeys(FORMS, _formed),
    **dict.fromkeys(PATTERNS, _pattern),
    **dict.fromkeys(ADDRESSES, lambda spec, key: spec.address(key, ADDRESSES[key])),
    **dict.fromkeys(NETWORKS, lambda spec, key: check_networks(spec, key, NETWORKS[key])),
    **dict.fromkeys(PORT_RANGES, lambda spec, key: _port_range(spec, key, spec.values[key])),
    **dict.fromkeys(TEXTS, lambda spec, key: spec.text(key)),
    **dict.fromkeys(NUMBERS_OR_TEXTS, _number_or_text),
    **dict.fromkeys(MAPPINGS, _texts_by_name),
    **dict.fromkeys(CHOICES, _choice),
    **dict.fromkeys(LOOSE_CHOICES, _loose_choice),
    **dict.fromkeys(PORTS, _ports),
    "bpfForceTrackPacketsFromIfaces": _interfaces,
    "healthTimeoutOverrides": _timeouts,
    "kubeNodePortRanges": _port_ranges,
    "routeTableRange": _table_ranges,
    "routeTableRanges": _table_ranges,
}


def _in_its_type(key: str, value: t.Any) -> t.Any:
    """Return what calicoctl makes of a number where a text belongs, and of 1.0 where a number does."""
    if key in NUMBERS or key in BOUNDED_NUMBERS:
        return whole(value)
    return scalar_text(value) if key in {*TEXTS, *FORMS, *PATTERNS, *ADDRESSES} else value


def check_felix(reading: Reading) -> None:
    """Check a FelixConfiguration."""
    spec = reading.spec
    spec.values = {key: _in_its_type(key, value) for key, value in spec.values.items()}
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
