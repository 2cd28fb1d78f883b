# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stories: what the playbooks that change a running network do, step by step, and how each may end."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.calico.plugins.filter.steps import cluster
from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import remove_all
from ansible_collections.podnet.calico.plugins.module_utils.planner import ipam
from ansible_collections.podnet.calico.plugins.module_utils.planner.handover import whole
from ansible_collections.podnet.calico.plugins.module_utils.planner.pool_migration import released
from ansible_collections.podnet.calico.plugins.module_utils.planner.removal import naming
from ansible_collections.podnet.calico.plugins.module_utils.verify.planned_pings import targets_of
from ansible_collections.podnet.calico.plugins.module_utils.verify.proof import objections
from ansible_collections.podnet.calico.tests.unit.planner.clusters import NOW, Snapshot
from ansible_collections.podnet.calico.tests.unit.stories.telling import (
    Agreed,
    Data,
    Playbook,
    Step,
    agreed,
    by_key,
    changes,
    in_words,
)

Story = t.Iterator[Step]
Row = t.Dict[str, t.Any]
SWITCH, REMOVE, MIGRATE = (Playbook(name) for name in ("switch_encapsulation", "remove_node", "migrate_pool"))
NAMES = ("node1", "node2", "node3")


def pool(mode: str = "VXLAN", name: str = "main", cidr: str = "10.244.0.0/16", **more: t.Any) -> Row:
    """Return a row of calico_ip_pools."""
    return {"name": name, "cidr": cidr, "encapsulation": mode, **more}


def inventory(
    *pools: Row, names: t.Sequence[str] = NAMES, own: t.Mapping[str, Row] | None = None, **shared: t.Any
) -> Data:
    """Return variables of hosts of one subnet that have been looked at. own: further ones, by host."""
    found: Data = {}
    for name in names:
        address = f"192.0.2.{10 + int(name[4:])}"
        seen = {"address": f"{address}/24", "device": "eth0", "mtu": 1500, "encapsulations": ["ipip", "vxlan"]}
        looked = {"ansible_host": address, "calico_ip_pools": list(pools), "plan_host": {"host": seen}}
        found[name] = {**looked, **shared, **(own or {}).get(name, {})}
    return found


def deploy(before: Snapshot, hostvars: Data, standby: bool = False, transition: bool = False) -> Agreed:
    """Return what the role plan agrees on for all hosts of an inventory."""
    first = next(iter(hostvars.values()))
    shared = {"peers": "calico_bgp_peers", "bgp_configuration": "calico_bgp_configuration"}
    more = {key: first[variable] for key, variable in shared.items() if variable in first}
    wanted = cluster(hostvars, list(hostvars), pools=first["calico_ip_pools"], **more)
    return agreed(before, wanted, transition, bgp="auto", standby=standby, guard=True, secrets=None, allow_cut_off=[])


def answers(targets: t.Iterable[Row], lost: t.Mapping[str, float]) -> list[Row]:
    """Return what pings of targets gave. lost: what part of the packets, by name of the other node."""
    return [
        {
            **{key: target[key] for key in ("address", "pool", "expected")},
            "target": target["name"],
            "sent": 10,
            "received": round(10 * (1 - lost.get(target["name"], 0))),
            "loss": lost.get(target["name"], 0),
            "encapsulation": target["expected"],
        }
        for target in targets
    ]


def named(targets: t.Iterable[Row]) -> list[str]:
    return [f"{row['name']} {row['address']} as {row['expected']} from {row['netns']}" for row in targets]


class Switch(t.NamedTuple):
    """A run of switch_encapsulation. earlier: nodes that an earlier run moved. lost: what pings of the trial lose.

    batches: nodes that move together. gone: by node why its move fails: "unreachable", or what part of the packets to
    which nodes is lost.
    """

    earlier: t.Sequence[str] = ()
    lost: t.Mapping[str, t.Mapping[str, float]] = {}
    batches: t.Sequence[t.Sequence[str]] = (("node1",), ("node2",), ("node3",))
    gone: t.Mapping[str, t.Any] = {}


def switch(told: Switch, old: str = "VXLAN", new: str = "None") -> Story:
    """Tell a run of switch_encapsulation."""
    before, wanted = deploy({}, inventory(pool(old))).stored, inventory(pool(new))
    plans, hostvars = deploy(before, wanted, transition=True).plans, {}
    for name in NAMES:
        seen = {"changes": [] if name in told.earlier else [{"kind": "route"}], "surplus": []}
        facts = {"switch_transition": plans[name]["transition"], "switch_seen": seen}
        noted = SWITCH.give("Note whether this node has moved", "ansible.builtin.set_fact", **facts)
        hostvars[name] = {"plan_of_node": plans[name], **noted}
    transition = plans["node1"]["transition"]
    yield Step(
        "Prepare both data paths",
        {"stored": old, "inventory": new, "moved by an earlier run": list(told.earlier)},
        verdict={name: {key: variables[key] for key in noted} for name, variables in hostvars.items()},
        messages=SWITCH.give("Say what changes", "ansible.builtin.debug", "msg", switch_transition=transition),
    )
    named_cluster = cluster(wanted, NAMES, pools=[pool(new)])
    ready = ipam.claim({**before}, named_cluster["hosts"], now=NOW, keep=True)
    yield Step("Claim the addresses of new tunnels, and release none", {"keep": True}, changes(before, ready))
    yield Step(
        "Make the tunnels of both modes, and hold routes where they are",
        {"moved": {name: variables["switch_moved"] for name, variables in hostvars.items()}},
        nodes={name: in_words(plans[name], hostvars[name]["switch_moved"]) for name in NAMES},
    )
    trial = {name: targets_of(whole(plans[name]), "trial") for name in NAMES}
    for name in NAMES:
        rows = answers(trial[name], told.lost.get(name, {}))
        problems = objections(rows)
        hostvars[name]["switch_trial"] = {"results": rows, "problems": problems, "failed": bool(problems)}
    verdict, said = judged("Try the new path between probe pods", hostvars)
    yield Step(
        "Ping all nodes by the new path, which only probe pods take",
        {"lost": {name: dict(lost) for name, lost in told.lost.items()}},
        pings={name: named(targets) for name, targets in trial.items()},
        verdict=verdict,
        messages=said,
    )
    for batch in told.batches if verdict["ok"] else ():
        asked = {name: targets_of(whole({**plans[name], "moved": True}), "pods") for name in batch}
        for name in batch:
            hostvars[name]["switch_move"] = move(asked[name], told.gone.get(name))
        failed = [name for name in batch if told.gone.get(name)]
        for name in () if failed else batch:
            facts = SWITCH.give("Note that this node has moved", "ansible.builtin.set_fact")
            hostvars[name].update(facts)
        verdict, said = judged("Move a batch", hostvars)
        yield Step(
            "Take the new path to all nodes",
            {"batch": list(batch), "failed": {name: told.gone[name] for name in failed}},
            nodes={name: in_words(plans[name], True) for name in batch},
            pings={name: named(targets) for name, targets in asked.items()},
            verdict=verdict,
            messages=said,
        )
        if failed:
            return
    if verdict["ok"]:
        stored = deploy(ready, wanted, standby=True)
        words = {name: in_words(plan) for name, plan in stored.plans.items()}
        name = "Store the new modes, and remove the old path"
        yield Step(name, {"inventory": new, "standby": True}, changes(ready, stored.stored), words)
        context = {"hostvars": hostvars, "groups": {"podnet_switching": list(NAMES)}}
        yield Step("Sum up", {}, messages=SWITCH.give("Sum up", "ansible.builtin.debug", "msg", **context))


def move(targets: t.Sequence[Row], gone: t.Any) -> Row:
    """Return what calico_dataplane answers about a node that takes the new path."""
    if gone == "unreachable":
        return {"unreachable": True, "msg": "Failed to connect to the host"}
    rows = answers(targets, gone or {})
    problems = objections(rows)
    if not problems:
        return {"changed": True, "pings": rows}
    return {"failed": True, "msg": f"prove the new routes: {'; '.join(problems)}", "failure": {"routes": "back"}}


def judged(block: str, hostvars: Data) -> tuple[Data, list[str]]:
    """Return the verdict of a block, and what its rescue says then."""
    context = {"hostvars": hostvars, "groups": {"podnet_switching": list(NAMES)}}
    verdict = SWITCH.give(block, "vars", "switch_verdict", **context)
    said = "Say what was found, what is in place, and how to go on"
    failed = (
        () if verdict["ok"] else SWITCH.give(said, "ansible.builtin.fail", "msg", **context, switch_verdict=verdict)
    )
    return verdict, failed.splitlines() if failed else []


def remove(hostvars: Data, target: str, answer: Row) -> Story:
    """Tell a run of remove_node. answer: what the host says when it is asked whether it lives."""
    before, group = deploy({}, hostvars).stored, list(hostvars)
    came = {"calico_remove": target, "group": group}
    context = {"hostvars": hostvars, "calico_remove": target, "remove_group": group}
    resources = {"remove_stored": {"resources": list(before.values())}}
    try:
        facts = REMOVE.give("Name what goes", "ansible.builtin.set_fact", **context, **resources)
    except AnsibleFilterError as refused:
        yield Step("Name what goes", came, verdict={"refused": True}, messages=[str(refused)])
        return
    traces = facts["remove_traces"]
    yield Step("Name what goes", came, verdict=traces)
    yield Step("Show what goes", {}, messages=[REMOVE.give("Show what goes", "ansible.builtin.debug", "msg", **facts)])
    runs = REMOVE.holds("Remove the pod network there", remove_ping=answer)
    yield Step("Remove the pod network there", {"ping": answer}, verdict={"runs": runs})
    given_up = ipam.give_up(before, [traces["node"]], now=NOW)
    yield Step("Release blocks and addresses", {"node": traces["node"]}, changes(before, given_up))
    rest = remove_all(given_up, by_key(traces["documents"]))
    yield Step("Delete what names the node", {"documents": traces["documents"]}, changes(given_up, rest))
    others = {name: variables for name, variables in hostvars.items() if name != traces["host"]}
    made = deploy(rest, others)
    words = {name: in_words(plan) for name, plan in made.plans.items()}
    yield Step("Bring the other hosts in line", {"hosts": list(others)}, changes(rest, made.stored), words)
    left = naming(made.stored.values(), traces["node"], traces["addresses"], traces["cidrs"])
    yield Step("Prove that nothing in the datastore names the node", {}, verdict={"left": left})


def migrate(usage: t.Mapping[str, Row], disabled: bool = True) -> Story:
    """Tell a run of migrate_pool. usage: what calico_pool_usage answered, by host that has pods or ranges."""
    old, new = pool(name="old", disabled=True), pool("None", "new", "10.245.0.0/16")
    first = deploy({}, inventory(pool(name="old"))).stored
    before = deploy(first, inventory(old, new)).stored
    hostvars = inventory(old if disabled else pool(name="old"), new)
    context: Data = {"hostvars": hostvars, "migrate_group": list(NAMES), "calico_pool": "old"}
    came = {"calico_pool": "old", "disabled in the inventory": disabled}
    resources = {"migrate_stored": {"resources": list(before.values())}}
    try:
        facts = MIGRATE.give("Name what goes, or refuse", "ansible.builtin.set_fact", **context, **resources)
    except AnsibleFilterError as refused:
        yield Step("Name what goes, or refuse", came, verdict={"refused": True}, messages=[str(refused)])
        return
    traces = facts["migrate_traces"]
    yield Step("Name what goes, or refuse", came, verdict=traces)
    for name in NAMES:
        hostvars[name]["migrate_usage"] = {"pods": [], "ranges": [], **usage.get(name, {})}
    context.update(facts, migrate_found=traces, ansible_play_hosts=list(NAMES))
    words = MIGRATE.give("Put it in words", "ansible.builtin.set_fact", **context)
    context.update(words)
    asserts = ("Refuse as long as new pods get addresses of the pool", "Wait as long as pods live in the pool")
    stays = [name for name in asserts if not MIGRATE.holds(name, "ansible.builtin.assert", "that", **context)]
    said = [MIGRATE.judge(name, **context) for name in (stays[:1] or asserts)]
    stats = MIGRATE.give("Leave the state to the next job", "ansible.builtin.set_stats", "data", **context)
    yield Step(
        "Look for pods that live in the pool",
        {name: dict(found) for name, found in usage.items()},
        verdict={**words["migrate_words"], "stays since": stays},
        messages=list(filter(None, said)),
        stats=stats,
    )
    if stays:
        return
    freed = released(before, [ipaddress.ip_network(traces["pool"])])
    yield Step("Release its blocks", {"cidrs": [traces["pool"]]}, changes(before, freed))
    rest = remove_all(freed, by_key(traces["documents"]))
    yield Step("Delete it", {"documents": traces["documents"]}, changes(freed, rest))
    pools = MIGRATE.give("Bring the nodes in line", "vars", "plan_ip_pools", **context, calico_ip_pools=[old, new])
    made = deploy(rest, inventory(*pools))
    nodes = {name: in_words(plan) for name, plan in made.plans.items()}
    yield Step(
        "Bring the nodes in line", {"pools": [each["name"] for each in pools]}, changes(rest, made.stored), nodes
    )
    left = {**context, "migrate_left": {"resources": list(made.stored.values())}}
    yield Step(
        "Judge",
        {},
        verdict={"ok": MIGRATE.holds("Judge", "ansible.builtin.assert", "that", **left)},
        messages=[MIGRATE.judge("Judge", **left)],
        stats=MIGRATE.give("Leave the end to the next job", "ansible.builtin.set_stats", "data"),
    )
