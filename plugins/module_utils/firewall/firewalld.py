# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two policies and sets of addresses of ours in firewalld's folder, which hold in every zone and through a reload.

A policy that is evaluated before the zones leaves it to the user which zone an interface or a node belongs to. Sources:
firewalld.policy(5), firewalld.ipset(5), firewalld.richlanguage(5).
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils import owned_file
from ansible_collections.podnet.calico.plugins.module_utils.changes import Change, compare
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, DaemonError
from ansible_collections.podnet.calico.plugins.module_utils.firewall.programs import act, answer, content
from ansible_collections.podnet.calico.plugins.module_utils.firewall.wanted import Rule

FOLDER = "/etc/firewalld"
MARK = "<short>podnet.calico</short>"  # which firewalld keeps when it writes a file itself
POLICIES = {"podnet-nodes": "HOST", "podnet-pods": "ANY"}  # and where they lead; a name has at most 17 characters
SETS = tuple(f"podnet-{who}{version}" for who in ("nodes", "clients") for version in (4, 6))
_FAMILIES = {4: ("ipv4", "inet"), 6: ("ipv6", "inet6")}
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'


def running() -> bool:
    """Tell whether firewalld runs here and answers."""
    return answer("firewall-cmd", "--state").stdout.strip() == "running"


class Firewalld:
    """The files of ours in firewalld's folder, and whether it goes by them."""

    def __init__(self, rules: t.Sequence[Rule]) -> None:
        self._wanted = texts(rules)
        there = {path: content(path) for path in _paths()}
        self._there = {path: text for path, text in there.items() if text}
        foreign = [path for path, text in self._there.items() if MARK not in text]
        if foreign:
            raise Conflict(f"let the pod network through firewalld: {foreign[0]} is not ours", remedy="Rename it")
        if rules:
            _refuse_old()

    def changes(self) -> list[Change]:
        """Return what differs in files, or that firewalld goes by others."""
        changes = compare("file", self._there, self._wanted)
        if changes or not (self._wanted or os.path.isdir(FOLDER)) or not running() or _is_loaded(self._wanted):
            return changes
        return [Change("unit", "firewalld", "goes by former rules", "goes by its files")]

    def apply(self) -> None:
        """Write the files, and have firewalld read them; raises DaemonError, with all as it was, if it refuses them."""
        _replace(self._there, self._wanted)
        if not running():
            return
        checked = answer("firewall-cmd", "--check-config")
        if checked.returncode:
            _replace(self._wanted, self._there)
            said = checked.stderr.strip() or checked.stdout.strip()
            raise DaemonError(f"let the pod network through firewalld: {said}", remedy="Its files are as they were")
        act("firewall-cmd", "--reload")


def _paths() -> list[str]:
    return [f"{FOLDER}/policies/{name}.xml" for name in POLICIES] + [f"{FOLDER}/ipsets/{name}.xml" for name in SETS]


def _replace(former: t.Mapping[str, str], texts_by_path: t.Mapping[str, str]) -> None:
    for path, text in texts_by_path.items():
        if former.get(path) != text:
            owned_file.write(path, text)
    for path in former.keys() - texts_by_path.keys():
        owned_file.remove(path)


def _refuse_old() -> None:
    found = re.match(r"(\d+)\.(\d+)", answer("firewall-cmd", "--version").stdout.strip())
    if found and (int(found[1]), int(found[2])) < (0, 9):
        raise Conflict(
            f"let the pod network through firewalld: version {found[0]} has no policies",
            remedy="firewalld 0.9 or newer is needed; or open it by hand, see docs/firewall.md",
        )


def _is_loaded(wanted: t.Mapping[str, str]) -> bool:
    """Tell whether what firewalld goes by is what its files say, as far as it is ours."""
    names = {os.path.basename(path)[: -len(".xml")] for path in wanted}
    active = {*act("firewall-cmd", "--get-policies").split(), *act("firewall-cmd", "--get-ipsets").split()}
    if active & {*POLICIES, *SETS} != names:
        return False
    for name in sorted(names):
        what = (f"--policy={name}", "--list-rich-rules") if name in POLICIES else (f"--ipset={name}", "--get-entries")
        shown = [sorted(answer("firewall-cmd", *kind, *what).stdout.split("\n")) for kind in ((), ("--permanent",))]
        if shown[0] != shown[1]:
            return False
    return True


def texts(rules: t.Sequence[Rule]) -> dict[str, str]:
    """Return the files that rules need, by path. firewalld lets in answers, and all that goes out, by itself."""
    needed = [rule for rule in rules if rule.hook != "output" and not rule.established]
    found: dict[str, str] = {}
    for name, egress in POLICIES.items():
        hook = "input" if egress == "HOST" else "forward"
        spelled = [line for rule in needed if rule.hook == hook for line in _rules(rule)]
        if spelled:
            found[f"{FOLDER}/policies/{name}.xml"] = _policy(egress, spelled)
    for rule in needed:
        if _set_name(rule):
            found[f"{FOLDER}/ipsets/{_set_name(rule)}.xml"] = _set(rule)
    return found


def _set_name(rule: Rule) -> str:
    """Return the set that has the sources of a rule; empty if they are in the rule, as the few ranges of pods are."""
    return f"podnet-{rule.who}{rule.version}" if rule.who else ""


def _rules(rule: Rule) -> t.Iterator[str]:
    name = _set_name(rule)
    sources = [f'    <source ipset="{name}"/>\n'] if name else [f'    <source address="{x}"/>\n' for x in rule.sources]
    for source in sources or [""]:
        for destination in [f'    <destination address="{x}"/>\n' for x in rule.destinations] or [""]:
            head = f'  <rule family="{_FAMILIES[rule.version][0]}">\n'
            yield f"{head}{source}{destination}{_element(rule)}    <accept/>\n  </rule>\n"


def _element(rule: Rule) -> str:
    if rule.to_port:
        return f'    <port port="{rule.to_port}" protocol="{rule.protocol}"/>\n'
    return f'    <protocol value="{rule.protocol}"/>\n' if rule.protocol else ""


def _policy(egress: str, spelled: t.Iterable[str]) -> str:
    zones = f'  <ingress-zone name="ANY"/>\n  <egress-zone name="{egress}"/>\n'
    body = "".join(spelled)
    return f'{_HEAD}<policy priority="-1" target="CONTINUE">\n  {MARK}\n{body}{zones}</policy>\n'


def _set(rule: Rule) -> str:
    family = f'  <option name="family" value="{_FAMILIES[rule.version][1]}"/>\n'
    entries = "".join(f"  <entry>{source}</entry>\n" for source in rule.sources)
    return f'{_HEAD}<ipset type="hash:net">\n  {MARK}\n{family}{entries}</ipset>\n'
