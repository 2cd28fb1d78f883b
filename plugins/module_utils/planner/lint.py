# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Topology lint: what is wrong with a cluster as far as its resources tell, without looking at a host; pure."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.bgp import sessions_of
from ansible_collections.podnet.calico.plugins.module_utils.planner.build import uses_bird
from ansible_collections.podnet.calico.plugins.module_utils.planner.check import families, gateways, subnets
from ansible_collections.podnet.calico.plugins.module_utils.planner.check_bgp import peer_findings
from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_reach import unreachable
from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_resources import RULES_OF_RESOURCES
from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_scene import (
    RULES,
    ZONE_LABEL,
    Finding,
    Results,
    Scene,
    Skip,
)
from ansible_collections.podnet.calico.plugins.module_utils.planner.lint_sessions import RULES_OF_SESSIONS
from ansible_collections.podnet.calico.plugins.module_utils.planner.pool_migration import orphan_problems
from ansible_collections.podnet.calico.plugins.module_utils.planner.snapshot import read as read_cluster
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_configuration import BGPConfiguration
from ansible_collections.podnet.calico.plugins.module_utils.resources.bgp_peer import BGPPeer
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool
from ansible_collections.podnet.calico.plugins.module_utils.resources.kinds import normalise
from ansible_collections.podnet.calico.plugins.module_utils.resources.node import Node
from ansible_collections.podnet.calico.plugins.module_utils.resources.problems import problems_of

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.datastore.contract import Snapshot
    from ansible_collections.podnet.calico.plugins.module_utils.planner.cluster import Cluster
    from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Bgp


class Report(t.NamedTuple):
    """Findings, errors first, and rules that could not be checked on something."""

    findings: list[Finding]
    skipped: list[Skip]

    @property
    def counts(self) -> dict[str, int]:
        """Return how many findings there are by severity."""
        severities = [finding.severity for finding in self.findings]
        return {severity: severities.count(severity) for severity in ("error", "warning")}

    def lines(self) -> list[str]:
        """Return the report as a person reads it: what, why and what to do of each finding, and how many."""
        found = []
        for f in self.findings:
            found += [f"{f.severity:7}  {f.rule}: {f.kind} {f.name}", f"         {f.message}", f"         {f.remedy}"]
        for skip in self.skipped:
            found += [f"skipped  {skip.rule}: {skip.kind} {skip.name}", f"         {skip.reason}"]
        return [*found, f"errors: {self.counts['error']}, warnings: {self.counts['warning']}"]


def report(
    documents: t.Sequence[t.Mapping[str, t.Any]],
    bgp: str = "auto",
    failure_domain_label: str = ZONE_LABEL,
    excused: t.Iterable[str] = (),
) -> Report:
    """Return what is wrong with documents; bgp: see needs.bird_routes, the others: see Scene."""
    snapshot, problems = read(documents)
    cluster = read_cluster(snapshot)
    bird = uses_bird(cluster, bgp)
    bgps = sessions_of(cluster) if bird else {}
    planned = _of_plan(snapshot, cluster, bird, bgps, _without_length(documents))
    return lint(scene_of(snapshot, bgps, failure_domain_label, excused), [*problems, *planned])


def _of_plan(
    snapshot: Snapshot, cluster: Cluster, bird: bool, bgps: t.Mapping[str, Bgp], unknown: t.Collection[str]
) -> Results:
    """Yield what the plan refuses and no rule of the lint's own finds; unknown: nodes whose subnet is not known."""
    addressed = [name for name, node in cluster.nodes.items() if node.ipv4_address or node.ipv6_address]
    yield from families(cluster, addressed)
    yield from subnets(cluster, bird, [*unknown, *(set(cluster.nodes) - set(addressed))])
    yield from gateways(cluster)
    yield from peer_findings(cluster, bgps)
    for problem in orphan_problems(snapshot):
        (owner,) = problem.details["nodes"]
        yield Finding(problem.details["rule"], "Node", owner, problem.message, problem.remedy)


def _without_length(documents: t.Iterable[t.Mapping[str, t.Any]]) -> set[str]:
    """Return the nodes one of whose addresses has no prefix length, so that its subnet is not known."""
    return {
        document["metadata"]["name"]
        for document in documents
        if not all("/" in str(_bgp_of(document).get(key) or "/") for key in ("ipv4Address", "ipv6Address"))
    }


def _bgp_of(document: t.Any) -> t.Mapping[str, t.Any]:
    """Return spec.bgp of a Node that has a name; empty for everything else, which is read()'s to refuse."""
    with contextlib.suppress(AttributeError, KeyError, TypeError):
        if document["kind"] == "Node" and isinstance(document["metadata"]["name"], str):
            return {**document["spec"]["bgp"]}
    return {}


def read(documents: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[Snapshot, list[Finding]]:
    """Return the documents in canonical form by kind and name, and what is wrong with those that cannot be read.

    Kinds that the collection does not manage, as policies, are passed over.
    """
    found: Snapshot = {}
    problems: list[Finding] = []
    for document in documents:
        try:
            canonical = normalise(document)
        except InvalidInput as error:
            if "kind_given" not in error.details:
                problems += [_invalid(document, problem) for problem in problems_of(error)]
            continue
        found[canonical["kind"], canonical["metadata"]["name"]] = canonical
    return found, problems


def _invalid(document: t.Any, problem: InvalidInput) -> Finding:
    fields = document if isinstance(document, t.Mapping) else {}
    metadata = fields.get("metadata")
    name = metadata.get("name") if isinstance(metadata, t.Mapping) else None
    kind = str(fields.get("kind") or "document")
    return Finding("invalid-document", kind, str(name or "?"), problem.message, problem.remedy)


def scene_of(
    snapshot: Snapshot,
    bgps: t.Mapping[str, Bgp],
    failure_domain_label: str = ZONE_LABEL,
    excused: t.Iterable[str] = (),
) -> Scene:
    """Return what the rules look at; bgps: what BIRD of each node would be told, empty where no BIRD runs.

    excused: nodes that may be cut off.
    """
    of: dict[str, list[t.Any]] = {}
    for (kind, __), document in sorted(snapshot.items()):
        of.setdefault(kind, []).append(document)
    nodes = {document["metadata"]["name"]: Node.from_document(document) for document in of.get("Node", [])}
    configurations = [BGPConfiguration.from_document(document) for document in of.get("BGPConfiguration", [])]
    return Scene(
        nodes=nodes,
        pools=tuple(IPPool.from_document(document) for document in of.get("IPPool", [])),
        peers=tuple(BGPPeer.from_document(document) for document in of.get("BGPPeer", [])),
        configurations={configuration.name: configuration for configuration in configurations},
        filters=frozenset(document["metadata"]["name"] for document in of.get("BGPFilter", [])),
        bgps=bgps,
        failure_domain_label=failure_domain_label,
        excused=frozenset(excused),
    )


def lint(scene: Scene, problems: t.Iterable[Finding | Skip] = ()) -> Report:
    """Return what all rules find; problems: results that are known already."""
    rules = (*RULES_OF_RESOURCES, *RULES_OF_SESSIONS, unreachable)
    results = [*problems, *_without_address(scene), *(result for rule in rules for result in rule(scene))]
    findings = [result for result in results if isinstance(result, Finding)]
    order = list(RULES)
    findings.sort(key=lambda f: (f.severity, order.index(f.rule), f.kind, f.name))
    return Report(findings, [result for result in results if isinstance(result, Skip)])


def _without_address(scene: Scene) -> t.Iterator[Skip]:
    for name, node in sorted(scene.nodes.items()):
        if node.ipv4_address is None and node.ipv6_address is None:
            yield Skip("no-session", "Node", name, "it has no address, so nothing is known of its sessions")
