# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be asked of Google's Compute Engine so that a mode works, and how to take it back; pure.

That an instance could not forward is noted in a label of ours, written before the instance is changed and deleted after
it is restored. Rules of firewalls are for the members of one network tag; ours have a name that tells network, tag and
what they let pass, so that two runs at once make one.
"""

from __future__ import annotations

import hashlib
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.changes import Change
from ansible_collections.podnet.calico.plugins.module_utils.cloud.needs import MARK, Machine, Need, Step, within
from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict, InvalidInput

LABEL = "podnet-calico-can-ip-forward"
WAS_OFF = "off"
NAME = re.compile(r"projects/[^/]+/zones/[^/]+/instances/[^/]+")
# How Google may spell a protocol, by how we do.
_SPELT = {"ipip": "4", "17": "udp", "6": "tcp", "all": ""}

Row = t.Mapping[str, t.Any]


class Instance(t.NamedTuple):
    """An instance. id, machine: projects/…/zones/…/instances/…

    addresses: of all interfaces. address, network: of the interface that carries, projects/…/global/networks/….
    forwards: whether it may forward. ours: has our label.
    """

    id: str
    machine: str
    addresses: tuple[str, ...]
    address: str
    network: str
    forwards: bool
    ours: bool
    tags: tuple[str, ...]

    @property
    def words(self) -> str:
        """Return what a person calls it."""
        return self.id.rpartition("/")[2]


def as_instance(name: str, found: Row, addresses: t.Collection[str]) -> Instance:
    """Return an instance from what Google says; the interface with one of the addresses carries, or the first."""
    nics = found.get("networkInterfaces", [])
    carrying = next((nic for nic in nics if nic.get("networkIP") in addresses), nics[0])
    network = carrying["network"]
    return Instance(
        name,
        name,
        tuple(nic["networkIP"] for nic in nics if nic.get("networkIP")),
        carrying.get("networkIP", ""),
        network[network.find("projects/") :],
        bool(found.get("canIpForward")),
        found.get("labels", {}).get(LABEL) == WAS_OFF,
        tuple(found.get("tags", {}).get("items", [])),
    )


def refuse_names(machines: t.Iterable[Machine]) -> None:
    """Raise InvalidInput for what does not name an instance."""
    for machine in machines:
        if not NAME.fullmatch(machine.id):
            raise InvalidInput(
                f"machines: {machine.id!r} does not name an instance",
                remedy="Write projects/PROJECT/zones/ZONE/instances/NAME",
            )


def common_network(instances: t.Sequence[Instance]) -> str:
    """Return the network that all instances are in."""
    networks = sorted({each.network for each in instances})
    if len(networks) > 1:
        raise Conflict(
            f"make firewall rules between the nodes: they are in several networks, {', '.join(networks)}",
            remedy="Give the addresses of the nodes in one of them, or set rules (cloud_rules) to false",
        )
    return networks[0] if networks else ""


def switch_on(instances: t.Iterable[Instance]) -> list[Step]:
    """Return the steps that let instances forward wherever they may not, and note that."""
    steps = []
    for each in instances:
        if not each.forwards:
            steps += [] if each.ours else [_label(each, add=True)]
            steps.append(_forward(each, on=True))
    return steps


def restore(instances: t.Iterable[Instance]) -> list[Step]:
    """Return the steps that forbid forwarding again where we have allowed it, and delete the note."""
    steps = []
    for each in instances:
        if each.ours:
            steps += [_forward(each, on=False)] if each.forwards else []
            steps.append(_label(each, add=False))
    return steps


def _label(each: Instance, *, add: bool) -> Step:
    change = Change("label", f"{each.words} {LABEL}", None if add else WAS_OFF, WAS_OFF if add else None)
    return Step(change, "label", {"instance": each.id, "add": add})


def _forward(each: Instance, *, on: bool) -> Step:
    words = {True: "on", False: "off"}
    return Step(
        Change("canIpForward", each.words, words[not on], words[on]), "forward", {"instance": each.id, "on": on}
    )


def rule_name(network: str, tag: str, need: Need) -> str:
    """Return the name of our rule."""
    place = hashlib.sha256(f"{network} {tag} {need.source}".encode()).hexdigest()[:10]
    what = "pods" if need.source else "-".join(str(part) for part in (need.protocol, need.port) if part is not None)
    return f"podnet-calico-{place}-{what}"


def add_rules(members: t.Sequence[Instance], tag: str, rules: t.Sequence[Row], missing: t.Iterable[Need]) -> list[Step]:
    """Return the steps that let come in what is needed by members of a tag, as far as no rule does so already.

    members: all in one network. rules: those of the network.
    """
    steps = []
    network, addresses = members[0].network, [each.address for each in members]
    for need in missing:
        if not any(_covers(rule, tag, need, addresses) for rule in rules):
            ports = {} if need.port is None else {"ports": [str(need.port)]}
            body = {
                "name": rule_name(network, tag, need),
                "description": f"{MARK}{need.words}{'' if need.source else ' between nodes'}",
                "network": network,
                "direction": "INGRESS",
                "allowed": [{"IPProtocol": need.protocol or "all", **ports}],
                "targetTags": [tag],
                **({"sourceRanges": [need.source]} if need.source else {"sourceTags": [tag]}),
            }
            change = Change("firewall rule", f"{body['name']} {need.words}", None, f"from {need.source or tag}")
            steps.append(Step(change, "add_rule", {"network": network, "body": body}))
    return steps


def drop_rules(
    network: str, tags: t.Collection[str], rules: t.Iterable[Row], kept: t.Collection[Need] = ()
) -> list[Step]:
    """Return the steps that delete our rules for the members of some tags, but for those that are needed."""
    needed = {rule_name(network, tag, need) for tag in tags for need in kept}
    steps = []
    for rule in sorted(rules, key=lambda rule: str(rule["name"])):
        ours = rule.get("description", "").startswith(MARK) and set(rule.get("targetTags", [])) & set(tags)
        if ours and rule["name"] not in needed:
            source = ", ".join([*rule.get("sourceTags", []), *rule.get("sourceRanges", [])])
            change = Change("firewall rule", f"{rule['name']} {_passes(rule)}", f"from {source}", None)
            steps.append(Step(change, "drop_rule", {"network": network, "name": rule["name"]}))
    return steps


def _passes(rule: Row) -> str:
    return str(rule["description"])[len(MARK) :].replace(" between nodes", "")


def _covers(rule: Row, tag: str, need: Need, addresses: t.Iterable[str]) -> bool:
    """Tell whether a rule lets in what is needed. Rules that deny are not looked at."""
    if rule.get("direction", "INGRESS") != "INGRESS" or rule.get("disabled") or rule.get("targetServiceAccounts"):
        return False
    if rule.get("targetTags") and tag not in rule["targetTags"]:
        return False
    sources = rule.get("sourceRanges", [])
    needed = [need.source] if need.source else list(addresses)
    come = all(any(within(each, source) for source in sources) for each in needed)
    members = not need.source and tag in rule.get("sourceTags", [])
    return (come or members) and any(_allows(allowed, need) for allowed in rule.get("allowed", []))


def _allows(allowed: Row, need: Need) -> bool:
    protocol = str(allowed["IPProtocol"]).lower()
    if _SPELT.get(protocol, protocol) not in ("", need.protocol):
        return False
    if not allowed.get("ports"):
        return True
    ends = (ports.partition("-") for ports in allowed["ports"])
    return need.port is not None and any(int(first) <= need.port <= int(last or first) for first, __, last in ends)
