# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a preflight that need computing, as filters: the logic itself is in module_utils."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.calico.plugins.filter.steps import cluster
from ansible_collections.podnet.calico.plugins.module_utils.cloud.judge import judge as judge_platforms
from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput, PodnetError
from ansible_collections.podnet.calico.plugins.module_utils.planner.needs import bird_routes
from ansible_collections.podnet.calico.plugins.module_utils.preflight.choice import chosen, listed
from ansible_collections.podnet.calico.plugins.module_utils.preflight.finding import FIXABLE, Wanted
from ansible_collections.podnet.calico.plugins.module_utils.preflight.judge import judge
from ansible_collections.podnet.calico.plugins.module_utils.resources import options
from ansible_collections.podnet.calico.plugins.module_utils.resources.inventory import pools_of
from ansible_collections.podnet.calico.plugins.module_utils.resources.ippool import IPPool
from ansible_collections.podnet.calico.plugins.module_utils.resources.problems import problems_of

HostVars = t.Mapping[str, t.Mapping[str, t.Any]]
Pools = t.Sequence[t.Dict[str, t.Any]]
Configuration = t.Mapping[str, t.Any]


def _read(pools: Pools) -> tuple[IPPool, ...]:
    try:
        return tuple(pools_of(pools))
    except PodnetError as error:
        raise AnsibleFilterError(str(error)) from error


def _services(configuration: Configuration) -> tuple[str, ...]:
    """Return the ranges of a BGP configuration's services, which may be texts, or dictionaries with a cidr."""
    found = [each for option in options.SERVICE_RANGES for each in configuration.get(option) or []]
    return tuple(str(each["cidr"]) if isinstance(each, dict) else str(each) for each in found)


def preflight_networks(pools: Pools, bgp_configuration: Configuration) -> list[str]:
    """Return the ranges of pools and services."""
    return [*(str(pool.cidr) for pool in _read(pools)), *_services(bgp_configuration)]


_OF_NODES = (
    *("calico_mtu", "calico_node_name", "calico_node_labels", "calico_node_as_number"),
    "calico_node_route_reflector_cluster_id",
)


def preflight_cluster(hostvars: HostVars, hosts: t.Sequence[str], **resources: t.Any) -> dict[str, t.Any]:
    """Return resources and hosts for calico_plan, from what calico_preflight_info registered as preflight_seen.

    resources: as the filter cluster has them. Hosts that could not be looked at, or whose address is not known, are
    left out, since other findings say that. problems: why there can be no plan, of the inventory.
    """
    given: dict[str, dict[str, t.Any]] = {}
    for host in hosts:
        variables = hostvars[host]
        facts = variables.get("preflight_seen", {}).get("facts")
        if facts and facts["node"]["address"] and facts["node"]["device"]:
            own = {name: variables[name] for name in _OF_NODES if variables.get(name) is not None}
            given[host] = {**own, "plan_host": {"host": _as_planned(facts, variables.get("calico_node_ipv6_address"))}}
    try:
        return {**cluster(given, list(given), **resources), "problems": []}
    except AnsibleFilterError as error:
        cause = error.__cause__
        found = problems_of(cause) if isinstance(cause, InvalidInput) else [InvalidInput(str(error))]
        return {"resources": [], "hosts": {}, "problems": [problem.as_dict() for problem in found]}


def _as_planned(facts: t.Mapping[str, t.Any], ipv6: t.Any) -> dict[str, t.Any]:
    """Return what calico_host_info would have seen on a host."""
    node, features = facts["node"], facts["kernel"]["features"]
    carrier = node["towards_device"] or node["device"]  # the address may be on lo
    own = [row["address"] for row in facts["addresses"]]
    second = next((each for each in own if ipv6 and each.partition("/")[0] == str(ipv6).partition("/")[0]), None)
    return {
        "address": node["address"],
        "ipv6_address": second,
        "device": carrier,
        "mtu": next((link["mtu"] for link in facts["links"] if link["name"] == carrier), 0),
        "encapsulations": [kind for kind in ("ipip", "vxlan") if features.get(kind) not in ("missing", "blocked")],
        "checks_sources": False,
    }


def preflight_verdict(hostvars: HostVars, hosts: t.Sequence[str], pools: Pools, **given: t.Any) -> dict[str, t.Any]:
    """Return the verdict of preflight's judge on what calico_preflight_info registered as preflight_seen.

    given: bgp_configuration, mtu (bytes), bgp ("auto" …), chain (of role cni), probe (a verdict), ignore
    (a list, or text with commas), fix, guard (whether there is one), cloud (whether to judge what calico_cloud_info
    registered as cloud_found), cloud_ignore, plan (what calico_plan returned), problems (of the inventory, for which
    there is no plan).
    """
    read = _read(pools)
    seen = {host: hostvars[host].get("preflight_seen", {}).get("facts") for host in hosts}
    facts = {host: found for host, found in seen.items() if found}
    wanted = Wanted(
        read,
        _services(given.get("bgp_configuration") or {}),
        int(given.get("mtu") or 0),
        bird_routes(given.get("bgp", "auto"), (pool.encapsulation for pool in read)),
        given.get("chain") == "calico",
        tuple(address for each in facts.values() if (address := each["node"]["address"].partition("/")[0])),
        bool(given.get("guard", True)),
        {host: hostvars[host].get("calico_node_name") or host for host in facts},
    )
    problems = given.get("problems")
    plan = {"problems": problems} if problems else given.get("plan") or None
    unseen = [host for host in hosts if host not in facts]
    fix = given.get("fix", FIXABLE)
    places = {host: found for host in facts if (found := hostvars[host].get("cloud_found", {})).get("platform")}
    accepted = listed(given.get("cloud_ignore") or ())
    cloud = _platforms(places, wanted, accepted) if given.get("cloud") and places else None
    return judge(facts, wanted, given.get("probe") or None, listed(given.get("ignore") or ()), unseen, fix, cloud, plan)


def _platforms(found: HostVars, wanted: Wanted, ignore: t.Sequence[str]) -> dict[str, t.Any]:
    """Return what the platforms of hosts mean, and by what each was known."""
    hosts = {host: dict(facts) for host, facts in found.items()}
    try:
        verdict = judge_platforms(hosts, wanted.modes, ignore=ignore)
    except PodnetError as error:
        raise AnsibleFilterError(str(error)) from error
    return {**verdict, "evidence": {host: facts["evidence"] for host, facts in hosts.items()}}


def preflight_fixes(fix: t.Any, ignore: t.Any, *, tagged: bool) -> list[str]:
    """Return the kinds of findings to mend; see choice.chosen()."""
    try:
        return chosen(fix, ignore, tagged=tagged)
    except PodnetError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Provides the filters of podnet.calico for preflights."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filters by name."""
        return {
            "preflight_cluster": preflight_cluster,
            "preflight_fixes": preflight_fixes,
            "preflight_networks": preflight_networks,
            "preflight_verdict": preflight_verdict,
        }
