# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewalls of a host: which tool keeps rules where, and what they drop. Reads only, and loads no kernel module."""

from __future__ import annotations

import os
import re
import shutil
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import systemd
from ansible_collections.podnet.calico.plugins.module_utils.marks import NFT_TABLE
from ansible_collections.podnet.calico.plugins.module_utils.preflight import files, ruleset

_FOREIGN = re.compile(r"^(cali-|KUBE-ROUTER|FLANNEL|CILIUM_|WEAVE|ANTREA-)")
_XTABLES = re.compile(r"^(?:ip|ip6) (?:filter|nat|mangle|raw|security)$")


def read(features: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Return rules by backend, the backend of each tool, chains that drop, and chains of other pod networks.

    features: the kernel's, so that nothing is asked that would have it load a module.
    """
    legacy = _iptables("iptables-legacy-save") if files.text("/", "/proc/net/ip_tables_names").strip() else ""
    asks_nft = features.get("nf_tables") not in ("loadable", "missing", "blocked")
    nft = _iptables("iptables-nft-save") if asks_nft else ""
    rules = systemd.output("nft", "-s", "-t", "list", "ruleset") if asks_nft else ""
    chains = {**_own_left_out(ruleset.of_nft(rules), bool(nft))}
    by_tool = {"nft": chains, "iptables-legacy": ruleset.of_iptables(legacy), "iptables-nft": ruleset.of_iptables(nft)}
    names = re.findall(r"^:(\S+)", f"{legacy}\n{nft}", re.MULTILINE)
    return {
        "tools": {tool: found for tool in ("iptables", "ip6tables") if (found := _backend(tool))},
        "rules": {"legacy": _count(legacy), "nft": _count(nft)},
        "closed": [{"tool": tool, **row} for tool, found in by_tool.items() for row in ruleset.closed(found)],
        "foreign_chains": sorted({name for name in names if _FOREIGN.match(name)}),
    }


def _iptables(program: str) -> str:
    return systemd.output(program) if shutil.which(program, path=systemd.SEARCHED) else ""


def _count(text: str) -> int:
    return len(re.findall(r"^-A ", text, re.MULTILINE))


def _backend(tool: str) -> str:
    """Return "legacy" or "nf_tables", by the program that a tool's name leads to; empty where there is none."""
    path = shutil.which(tool, path=systemd.SEARCHED)
    if path is None:
        return ""
    return "nf_tables" if "nft" in os.path.basename(os.path.realpath(path)) else "legacy"


def _own_left_out(chains: ruleset.Chains, with_xtables: bool) -> ruleset.Chains:
    """Leave out what is ours, and the tables of iptables where iptables itself tells what is in them."""
    return {
        key: chain
        for key, chain in chains.items()
        if not key[0].endswith(f" {NFT_TABLE}") and not (with_xtables and _XTABLES.match(key[0]))
    }
