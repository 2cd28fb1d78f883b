# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the facts of all hosts to a verdict: findings joined over hosts, a page for people, what can be mended; pure."""

from __future__ import annotations

import textwrap
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.preflight import (
    rules_address,
    rules_cloud,
    rules_cluster,
    rules_kernel,
    rules_others,
    rules_plan,
)
from ansible_collections.podnet.calico.plugins.module_utils.preflight.finding import (
    ERROR,
    FIXABLE,
    NOTE,
    SEVERITIES,
    WARNING,
    Facts,
    Finding,
    Wanted,
)
from ansible_collections.podnet.calico.plugins.module_utils.text import device_sysctl, natural

AREAS = {
    "kernel": "kernel features",
    "sysctl": "forwarding and rp_filter",
    "address": "node addresses",
    "identity": "hostnames and machine-ids",
    "clock": "clocks",
    "ranges": "ranges of pools and services",
    "mtu": "MTU",
    "offload": "network cards",
    "firewall": "firewalls",
    "managers": "network managers",
    "udev": "udev",
    "leftovers": "leftovers of other pod networks",
    "cloud": "cloud or hypervisor",
    "plan": "the plan of the nodes",
    "probe": "wire between the hosts",
}
_PER_HOST = (*rules_kernel.RULES, *rules_address.RULES, *rules_others.RULES)
_WIDTH = 73  # characters of a line, so that Ansible's output does not break it once more
_NAMED = 5  # hosts by name

Row = t.Dict[str, t.Any]


def judge(
    hosts: t.Mapping[str, Facts],
    wanted: Wanted,
    probe: t.Mapping[str, t.Any] | None = None,
    ignore: t.Collection[str] = (),
    unseen: t.Sequence[str] = (),
    fix: t.Collection[str] = FIXABLE,
    cloud: t.Mapping[str, t.Any] | None = None,
    plan: t.Mapping[str, t.Any] | None = None,
) -> Row:
    """Return findings with their hosts, whether nothing is an error, the page as lines, and what to mend by host.

    probe: the verdict of a probe, None for none. ignore: kinds of findings that are accepted, and become notes.
    unseen: hosts that could not be looked at. fix: kinds of findings that may be mended.
    cloud: what the platforms of the hosts mean for the wanted modes, see rules_cloud. plan: what calico_plan said,
    None if it was not asked, see rules_plan.
    """
    names = sorted(hosts, key=natural)
    found = _Joined(ignore)
    for name in names:
        for rule in _PER_HOST:
            for finding in rule(hosts[name], wanted):
                found.add(finding, [name])
    everyone = {name: hosts[name] for name in names}
    for join in rules_cluster.RULES:
        for affected, finding in join(everyone, wanted):
            found.add(finding, affected)
    for affected, finding in (*rules_cloud.of_cloud(cloud, probe), *_of_probe(probe, everyone)):
        found.add(finding, affected)
    nodes = {wanted.names.get(name, name): name for name in names}
    for affected, finding in rules_plan.of_plan(plan, names, nodes, found.kinds()):
        found.add(finding, affected)
    rows = found.rows()
    rows.sort(key=lambda row: (SEVERITIES.index(row["severity"]), list(AREAS).index(row["tag"])))
    counts = {severity: sum(row["severity"] == severity for row in rows) for severity in SEVERITIES}
    return {
        "ok": not counts[ERROR],
        "findings": rows,
        "counts": counts,
        "lines": _page(rows, names, {"cloud": cloud, "probe": probe, "plan": plan}, unseen),
        "failure": _failure(rows, names),
        "fixes": {name: _fixes(hosts[name], rows, name, fix) for name in names},
    }


class _Joined:
    """Findings that say the same of several hosts, as one each; ignore: kinds that are accepted."""

    def __init__(self, ignore: t.Collection[str]) -> None:
        self._ignore = ignore
        self._found: dict[tuple[str, str], tuple[Finding, dict[str, str]]] = {}

    def add(self, finding: Finding, hosts: t.Iterable[str]) -> None:
        """Note a finding of hosts."""
        if finding.kind in self._ignore:
            finding = finding._replace(severity=NOTE, what=f"{finding.what} (ignored)")
        __, evidence = self._found.setdefault((finding.kind, finding.what), (finding, {}))
        for host in hosts:
            evidence.setdefault(host, finding.evidence)

    def kinds(self) -> set[str]:
        """Return the kinds of the findings."""
        return {kind for kind, __ in self._found}

    def rows(self) -> list[Row]:
        """Return the findings, each with its hosts and what was seen on them."""
        return [{**each._asdict(), "evidence": seen, "hosts": list(seen)} for each, seen in self._found.values()]


def _of_probe(
    probe: t.Mapping[str, t.Any] | None, hosts: t.Mapping[str, Facts]
) -> t.Iterator[tuple[list[str], Finding]]:
    """Yield the findings of a probe with their hosts; those that concern other modes than the wanted ones are notes."""
    if not probe:
        return
    missing = list(hosts) if probe.get("broken") else [name for name in hosts if name in probe.get("unseen", ())]
    if missing:
        what = "the probe could not be run" if probe.get("broken") else "the host could not be probed"
        why = "nothing is known of what the network lets pass there"
        seen = str(probe.get("broken") or "it gave no result, see above")
        yield missing, Finding("probe-failed", WARNING, "probe", what, seen, why, "Mend that")
    for each in probe.get("findings", []):
        pairs = [tuple(pair.split(" -> ")) for pair in each["pairs"]]
        named = [name for name in hosts if any(name in pair for pair in pairs)] or list(hosts)
        severity = ERROR if each["severity"] == ERROR else NOTE
        why = (
            "a pool has a mode that needs it"
            if severity == ERROR
            else "no pool has a mode that needs it, or it does no harm"
        )
        shown = f"{len(pairs)} pairs: {', '.join(each['pairs'][:3])}{' …' if len(pairs) > 3 else ''}"
        yield named, Finding(f"probe-{each['kind']}", severity, "probe", each["what"], shown, why, each["remedy"])


def _page(
    rows: t.Sequence[Row],
    names: t.Sequence[str],
    asked: t.Mapping[str, t.Mapping[str, t.Any] | None],
    unseen: t.Sequence[str],
) -> list[str]:
    """Return the page; asked: what is looked at only if it is wanted, by area, and its verdict."""
    lines: list[str] = []
    for row in rows:
        if row["severity"] == NOTE:
            continue
        lines += _folded(f"{row['severity'].upper()}  {_subject(row, names)} [{row['kind']}]", "")
        lines += _folded(f"seen: {_evidence(row)}", "  ", 6) + _folded(f"why:  {row['why']}", "  ", 6)
        lines += _folded(f"do:   {row['remedy']}{_offer(row)}", "  ", 6)
    notes = [row for row in rows if row["severity"] == NOTE]
    lines += ["To know:"] if notes else []
    for row in notes:
        lines += _folded(f"{_subject(row, names)} [{row['kind']}]. {row['remedy']}", "  ")
    bad = {row["tag"] for row in rows if row["severity"] != NOTE}
    well = [words for area, words in AREAS.items() if area not in bad and asked.get(area, True)]
    lines += _folded(f"All well: {', '.join(well)}", "") if well else []
    probe = asked["probe"]
    if probe and probe.get("recommended"):
        lines.append("Recommended: {encapsulation} with an MTU of {mtu}".format(**probe["recommended"]))
    lines += _folded(f"Not looked at: {', '.join(unseen)}", "") if unseen else []
    count = {severity: sum(row["severity"] == severity for row in rows) for severity in (ERROR, WARNING)}
    hosts = f"{len(names)} host{'' if len(names) == 1 else 's'}"
    if not any(count.values()):
        return [*lines, f"{hosts}: ready to deploy"]
    verdict = "do not deploy yet" if count[ERROR] else "ready to deploy, but read the warnings"
    return [*lines, f"{hosts}: errors: {count[ERROR]}, warnings: {count[WARNING]}; {verdict}"]


def _evidence(row: Row) -> str:
    """Return what was seen, of the first host if it is not the same on all."""
    host, seen = next(iter(row["evidence"].items()))
    return seen if set(row["evidence"].values()) == {seen} else f"on {host}: {seen}"


def _offer(row: Row) -> str:
    return " (or run this with --tags fix)" if row["fixable"] else ""


def _failure(rows: t.Sequence[Row], names: t.Sequence[str]) -> str:
    return "; ".join(_subject(row, names) for row in rows if row["severity"] == ERROR)


def _subject(row: Row, names: t.Sequence[str]) -> str:
    """Return hosts and what is not well; a probe names the hosts itself."""
    says_so = row["tag"] == "probe" and row["kind"] != "probe-failed"
    return str(row["what"]) if says_so else f"{scope(row['hosts'], names)}: {row['what']}"


def scope(hosts: t.Sequence[str], names: t.Sequence[str]) -> str:
    """Return hosts as a person reads them: all of them, or the first few by name and how many there are."""
    if set(hosts) == set(names):
        return f"all {len(names)} hosts" if len(names) > 1 else names[0]
    more = f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else ""
    return f"{', '.join(hosts[:_NAMED])}{more} (of {len(names)})"


def _folded(text: str, indent: str, hang: int = 2) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent + " " * hang, break_on_hyphens=False
    )


def _fixes(facts: Facts, rows: t.Sequence[Row], name: str, fix: t.Collection[str]) -> Row:
    """Return the options of calico_preflight_fix for a host: what mends those of its findings that may be mended."""
    kinds = {row["kind"] for row in rows if row["kind"] in fix and name in row["hosts"]}
    device = facts["node"]["device"]
    settings = {}
    if "rp-filter-strict" in kinds:
        values = facts["sysctl"]["rp_filter"]
        strict = (row["device"] for row in facts["addresses"] if rules_kernel.is_strict(values, row))
        settings.update({device_sysctl("ipv4", each, "rp_filter"): "2" for each in strict})
    if kinds & {"forwarding-off", "forwarding-off-at-boot"}:
        settings["net.ipv4.ip_forward"] = "1"
    if "forwarding-device-off" in kinds:
        settings[device_sysctl("ipv4", device, "forwarding")] = "1"
    return {
        "sysctls": settings,
        "networkd": "networkd-routes" in kinds,
        "network_manager": "nm-pods" in kinds,
        "udev": "udev-mac" in kinds,
        "underlay": [device] if device else [],
    }
