# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the platforms of all hosts mean for the modes that are wanted; pure."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.cloud import commands, platforms
from ansible_collections.podnet.calico.plugins.module_utils.cloud.table import IF, MODES, NO, PLATFORMS, best, verdict
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.text import natural

Row = t.Dict[str, t.Any]
_SEVERITIES = ("error", "warning", "information")


def judge(
    hosts: t.Mapping[str, Row],
    wanted: t.Sequence[str],
    pools: t.Sequence[str] = (),
    ignore: t.Sequence[str] = (),
    managed: t.Collection[str] = (),
    *,
    rules: bool = True,
) -> Row:
    """Return findings, whether what is wanted can work, all as lines, and why not as a failure.

    hosts: what detect.detect returned, by host. wanted: modes. pools: the ranges of pods. ignore: what is a
    warning though it does not work, as "platform/mode". managed: platforms that are about to be changed, so that
    no commands are needed; a condition that this makes true is for information. rules: whether that changes rules of
    firewalls.
    """
    refused = _unknown(ignore)
    if refused:
        raise InvalidInput(
            f"cloud_ignore: {refused} is no platform and mode",
            remedy="Write it like azure/IPIP, all in the table's words",
        )
    groups = _grouped(hosts)
    subnets = {platform: len(_subnets(platform, hosts, names)) for platform, names in groups.items()}
    findings = []
    for platform, names in groups.items():
        if platform not in PLATFORMS:
            findings.append(_nothing_known(names))
        for mode in wanted:
            finding = _of_mode(platform, mode, subnets[platform], names)
            if finding:
                ignored = f"{platform}/{mode}" in ignore
                left = finding.pop("rules") and not rules
                ours = finding.pop("ours") and platform in managed and not left
                finding["severity"] = _severity(finding["works"], ignored=ignored, managed=ours)
                finding["commands"] = []
                if platform not in managed or not rules:
                    finding["commands"] += _for_rules(finding, platform, hosts, pools)
                if platform not in managed:
                    finding["commands"] += _for_hosts(finding, platform, hosts, pools)
                findings.append(finding)
    findings.sort(key=lambda finding: _SEVERITIES.index(finding["severity"]))
    errors = [finding["what"] for finding in findings if finding["severity"] == "error"]
    able = best(groups, subnets)
    advice = f"Can work here: {', '.join(able)}" if able else "No mode works between these platforms"
    return {
        "ok": not errors,
        "findings": findings,
        "platforms": groups,
        "able": able,
        "failure": f"{'; '.join(errors)}. {advice}; cloud_ignore overrides this" if errors else "",
        "lines": [*_found(groups, hosts), *_said(findings)],
    }


def _unknown(ignore: t.Sequence[str]) -> str:
    known = {f"{platform}/{mode}" for platform in PLATFORMS for mode in MODES}
    return ", ".join(entry for entry in ignore if entry not in known)


def _grouped(hosts: t.Mapping[str, Row]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(hosts, key=natural):
        found.setdefault(hosts[name]["platform"], []).append(name)
    return found


def _subnets(platform: str, hosts: t.Mapping[str, Row], names: t.Sequence[str]) -> set[str]:
    """Return the subnets of the nodes' first interfaces, which only some clouds' metadata names."""
    if platform not in (platforms.AWS, platforms.AZURE):
        return set()
    nics = (nic for name in names for nic in (hosts[name]["metadata"] or {}).get("interfaces", [])[:1])
    return {nic["subnet"] for nic in nics if nic["subnet"]}


def _of_mode(platform: str, mode: str, subnets: int, names: t.Sequence[str]) -> Row | None:
    found = verdict(platform, mode, subnets)
    if found is None or found.works not in (IF, NO):
        return None
    words = platforms.WORDS[platform]
    reasons = ", and ".join(found.texts)
    what = (
        f"{mode} works on {words} if {reasons}" if found.works == IF else f"{mode} does not work on {words}: {reasons}"
    )
    return {
        "kind": f"{platform}/{mode}",
        "works": found.works,
        "ours": found.ours,
        "rules": found.rules,
        "what": what,
        "hosts": list(names),
        "remedy": ". ".join(found.remedies),
        "packets": list(found.kinds),
        "routes": found.routes,
    }


def _severity(works: str, *, ignored: bool, managed: bool) -> str:
    if works == NO:
        return "warning" if ignored else "error"
    return "information" if ignored or managed else "warning"


def _for_rules(finding: Row, platform: str, hosts: t.Mapping[str, Row], pools: t.Sequence[str]) -> list[str]:
    facts = [hosts[name]["metadata"] for name in finding["hosts"] if hosts[name]["metadata"]]
    return commands.of_platform(platform, facts, finding["packets"], pools)


def _for_hosts(finding: Row, platform: str, hosts: t.Mapping[str, Row], pools: t.Sequence[str]) -> list[str]:
    found = (
        command
        for name in finding["hosts"]
        for command in commands.of_host(platform, hosts[name]["metadata"], finding["packets"], pools)
    )
    return list(dict.fromkeys(found))


def _nothing_known(names: t.Sequence[str]) -> Row:
    return {
        "kind": "unknown",
        "severity": "information",
        "what": "nothing is known of the platform",
        "hosts": list(names),
        "remedy": "Set cloud_platform if you know it, or see what passes with podnet.calico.probe",
        "packets": [],
        "routes": False,
        "commands": [],
    }


def _found(groups: t.Mapping[str, t.Sequence[str]], hosts: t.Mapping[str, Row]) -> t.Iterator[str]:
    for platform, names in groups.items():
        sure = sum(1 for name in names if hosts[name]["confirmed"])
        metadata = f"; metadata of {sure} of {len(names)} read" if sure else ""
        yield f"{', '.join(names)}: {platforms.WORDS[platform]} ({hosts[names[0]]['evidence']}{metadata})"


def _said(findings: t.Sequence[Row]) -> t.Iterator[str]:
    for finding in findings:
        yield f"{finding['severity']}: {finding['what']} ({', '.join(finding['hosts'])}). {finding['remedy']}"
        yield from (f"    {command}" for command in finding["commands"])
    if not findings:
        yield "All well: the platform has nothing against the modes that are wanted"
