# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about kernel, sysctls and network cards of one host; pure."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.preflight.finding import (
    ERROR,
    NOTE,
    WARNING,
    Facts,
    Finding,
    Wanted,
)
from ansible_collections.podnet.calico.plugins.module_utils.preflight.switches import effective
from ansible_collections.podnet.calico.plugins.module_utils.text import device_sysctl

OURS = "90-podnet-calico.conf"  # of calico_sysctl
_USES = {
    "ipip": "IPIP tunnels",
    "vxlan": "VXLAN tunnels",
    "veth": "links of pods",
    "nf_tables": "outgoing NAT and the guard",
    "nft_masq": "outgoing NAT",
    "nft_ct": "the guard",
    "nft_fib_inet": "outgoing NAT and the guard",
}
_SOUND_SINCE = (5, 8)


def features(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield what the kernel lacks for the wanted modes."""
    needed = {
        "ipip": wanted.ipip,
        "vxlan": wanted.vxlan,
        "veth": True,
        "nf_tables": wanted.masquerades or wanted.guard,
        "nft_masq": wanted.masquerades,
        "nft_ct": wanted.guard,
        "nft_fib_inet": wanted.masquerades or wanted.guard,
    }
    release = facts["kernel"]["release"]
    for name, state in facts["kernel"]["features"].items():
        if not needed.get(name) or state not in ("missing", "blocked"):
            continue
        remedy = (
            f"Remove the line that keeps modprobe from {name} (/etc/modprobe.d, kernel.modules_disabled)"
            if state == "blocked"
            else f"Install the rest of the kernel's modules (linux-modules-extra-{release}, kernel-modules-extra), or "
            "take an encapsulation that the kernel has"
        )
        yield Finding(
            f"kernel-{name.replace('_', '-')}",
            ERROR,
            "kernel",
            f"the kernel's {name} is {state}",
            f"Linux {release}: {name} is neither built in nor loadable"
            if state == "missing"
            else "modprobe refuses it",
            f"it is needed for {_USES[name]} ({wanted.in_words})",
            remedy,
        )


def rp_filter(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield devices whose rp_filter drops packets of pods, as the kernel combines it."""
    values = facts["sysctl"]["rp_filter"]
    devices = sorted({row["device"] for row in facts["addresses"] if _is_wire(row)})
    strict = sorted({row["device"] for row in facts["addresses"] if is_strict(values, row)})
    if strict:
        yield Finding(
            "rp-filter-strict",
            WARNING,
            "sysctl",
            f"rp_filter is strict on {', '.join(strict)}",
            "; ".join(_shown(values, device) for device in strict),
            "packets whose way back leaves by another device are dropped: with several uplinks, while a mode is "
            "switched, and pods' packets before their routes are there",
            f"Set net.ipv4.conf.{strict[0]}.rp_filter to 2 (loose)",
            fixable=True,
        )
    yield from _unnumbered(facts, values)
    loose = [device for device in devices if effective(values, device) == 2]
    if loose and wanted.calicos_plugin:
        yield Finding(
            "rp-filter-loose",
            WARNING,
            "sysctl",
            f"rp_filter is loose on {', '.join(loose)}",
            "; ".join(_shown(values, device) for device in loose),
            "Calico's Felix refuses to start with 2, which systemd sets since version 240",
            "Set rp_filter to 0 or 1 for all devices, or ignoreLooseRPF in Felix's configuration",
        )


def _unnumbered(facts: Facts, values: t.Mapping[str, int]) -> t.Iterator[Finding]:
    """Yield devices without an IPv4 address that lead to other hosts: there 2 drops what 1 drops.

    Linux, fib_frontend.c: with any rp_filter a packet is dropped whose way back is another device's, where the device
    that it came by has no address.
    """
    numbered = {row["device"] for row in facts["addresses"] if "." in row["address"]}
    routes = [row for row in facts["routes"] if not row["throw"] and "." in row["destination"]]
    leading = {device for row in routes for device in row["devices"]} | {facts["node"]["device"]}
    found = sorted(each for each in leading - numbered - {""} if _is_card(each) and effective(values, each))
    if not found:
        return
    names = [name for name in ("all", found[0]) if values.get(name)]
    yield Finding(
        "rp-filter-unnumbered",
        WARNING,
        "sysctl",
        f"rp_filter is on for {', '.join(found)}, without an IPv4 address",
        "; ".join(_shown(values, device) for device in found),
        "packets whose way back leaves by another device are dropped; there 2 (loose) is as strict as 1",
        f"Set {' and '.join(f'net.ipv4.conf.{name}.rp_filter' for name in names)} to 0, or give {found[0]} an address",
    )


def is_strict(values: t.Mapping[str, int], address: Facts) -> bool:
    """Tell whether the device of an IPv4 address takes packets only from where it would send answers."""
    return _is_wire(address) and effective(values, address["device"]) == 1


def _is_wire(address: Facts) -> bool:
    """Tell whether an IPv4 address is on a device that may lead to other hosts."""
    return "." in address["address"] and _is_card(address["device"])


def _is_card(device: str) -> bool:
    return not re.match(r"(lo$|cali|tunl|vxlan[.-]|docker|br-|virbr|cni|flannel|dummy|kube-)", device)


def _shown(values: t.Mapping[str, int], device: str) -> str:
    return f"max(all={values.get('all', 0)}, {device}={values.get(device, 0)}) = {effective(values, device)}"


def forwarding(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield what keeps the host from forwarding, now and after a boot."""
    sysctl, device = facts["sysctl"], facts["node"]["device"]
    if sysctl["ip_forward"] == "0":
        yield Finding(
            "forwarding-off",
            NOTE,
            "sysctl",
            "IP forwarding is off",
            "net.ipv4.ip_forward = 0",
            "without it no packet gets from or to a pod",
            "deploy sets net.ipv4.ip_forward to 1, now and for each boot",
            fixable=True,
        )
    elif sysctl["forwarding"].get(device) == 0:
        yield Finding(
            "forwarding-device-off",
            ERROR,
            "sysctl",
            f"forwarding is off on {device}",
            f"net.ipv4.ip_forward = 1, but net.ipv4.conf.{device}.forwarding = 0",
            f"what comes in by {device} for a pod is dropped",
            f"Set net.ipv4.conf.{device}.forwarding to 1",
            fixable=True,
        )
    last = sysctl["boot"][-1] if sysctl["boot"] else None
    if last and last["value"] == "0" and last["file"].rpartition("/")[2] > OURS:
        yield Finding(
            "forwarding-off-at-boot",
            WARNING,
            "sysctl",
            f"{last['file']} switches IP forwarding off at each boot",
            f"it is read after {OURS}, by which deploy switches it on",
            "after a reboot no packet gets from or to a pod",
            f"Take the line out of {last['file']}",
            fixable=True,
        )


def advertisements(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield devices whose addresses and default route the kernel would forget once it forwards IPv6."""
    forgotten = [device for device, value in facts["advertised"].items() if value == 1]
    if forgotten and any(pool.cidr.version == 6 for pool in wanted.pools):
        names = ", ".join(forgotten)
        yield Finding(
            "router-advertisements",
            NOTE,
            "sysctl",
            f"the kernel configures {names} by router advertisements",
            "; ".join(f"{device_sysctl('ipv6', device, 'accept_ra')} = 1" for device in forgotten),
            "a host that forwards IPv6 ignores them, and has neither address nor default route in the end",
            f"deploy sets accept_ra to 2 on {names} before it switches forwarding on, now and for each boot; with "
            "ifupdown, write accept_ra 2 in /etc/network/interfaces as well",
        )


def cards(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield network cards and kernels that damage checksums of encapsulated packets."""
    if not (wanted.vxlan or wanted.ipip):
        return
    device = facts["node"]["device"]
    driver = next((row["driver"] for row in facts["links"] if row["name"] == device), "")
    on = sorted(name for name, active in facts["offloads"].items() if active and name.startswith("tx-udp_tnl"))
    if wanted.vxlan and driver == "vmxnet3" and on:
        yield Finding(
            "offload-vmxnet3",
            WARNING,
            "offload",
            f"{device} (vmxnet3) is left to make checksums and segments of VXLAN packets",
            f"on: {', '.join(on)}",
            "several versions of vSphere damage them for UDP 4789: ping works, TCP and UDP do not",
            f"ethtool -K {device} {' '.join(f'{name} off' for name in on)}, in a unit that runs at each boot",
        )
    version = re.match(r"(\d+)\.(\d+)", facts["kernel"]["release"])
    if version and (int(version[1]), int(version[2])) < _SOUND_SINCE:
        yield Finding(
            "offload-old-kernel",
            NOTE,
            "offload",
            "kernels up to 5.7 damage checksums of encapsulated packets",
            f"Linux {facts['kernel']['release']}, {device} {driver or 'of unknown driver'}",
            "ping works, TCP and UDP do not",
            "deploy switches the checksum offload of tunnels off, at some cost in throughput",
        )


def mtu(facts: Facts, wanted: Wanted) -> t.Iterator[Finding]:
    """Yield a device that carries less than pods are to have."""
    device = facts["node"]["device"]
    carries = next((row["mtu"] for row in facts["links"] if row["name"] == device), 0)
    fits = carries - wanted.overhead
    if carries and wanted.mtu > fits:
        yield Finding(
            "mtu-too-large",
            ERROR,
            "mtu",
            f"{device} is too narrow for calico_mtu {wanted.mtu}",
            f"{device} carries {carries} bytes, of which {wanted.in_words} leaves {fits}",
            "large packets of pods are lost, small ones pass: TLS and uploads hang",
            f"Set calico_mtu to {fits}, or leave it out, or raise the MTU of {device}",
        )


RULES = (features, rp_filter, forwarding, advertisements, cards, mtu)
