# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed at any moment, and runs at the same time; the oracle is `ip`, `bridge`, `nft` and ping."""

from __future__ import annotations

import itertools
import json
import random
import re
import signal
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import KernelError
from ansible_collections.podnet.calico.plugins.module_utils.kernel import guard, nat, pod_netns
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_entries import interface_name
from ansible_collections.podnet.calico.plugins.module_utils.kernel.host_requests import creation
from ansible_collections.podnet.calico.plugins.module_utils.kernel.links import make_marked
from ansible_collections.podnet.calico.plugins.module_utils.kernel.netlink import Netlink
from ansible_collections.podnet.calico.tests.kernel.faults import (
    DONE,
    FAILED,
    PEERS,
    VXLAN,
    Chance,
    Job,
    Run,
    State,
    after,
    do,
    expected,
    killed_at,
    named,
    shown,
)
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result, unique

KILLS = pytest.mark.parametrize("kills", [60, pytest.param(600, marks=pytest.mark.nightly)])
ROUNDS = pytest.mark.parametrize("rounds", [5, pytest.param(50, marks=pytest.mark.nightly)])
NETNS, NOTES = "/run/netns", "/run/podnet.calico/netns"
KINDS = ("routes", "endpoints", "tunnels")


@pytest.fixture
def names() -> t.Iterator[str]:
    """Return what the names of all pods and their namespaces start with; what is left of them is removed."""
    found = unique("f")
    yield found
    for name in named(NETNS, found):
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    for name in named(NOTES, found):
        Path(NOTES, name).unlink()


@pytest.fixture
def stays(names: str) -> Result:
    """Return an endpoint that every wanted state has."""
    return {
        "name": f"{names}.stays",
        "netns": f"{names}-stays",
        "addresses": ["10.244.9.9"],
        "mtu": 1450,
        "interface": "eth0",
    }


class Ping:
    """A ping from a host to an address, a hundred times a second."""

    def __init__(self, host: Namespace, address: str) -> None:
        command = ["nsenter", f"--net={host.path}", "ping", "-n", "-i", "0.01", "-W", "5", address]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Ping:
        return self

    def __exit__(self, *__: object) -> None:
        self._process.kill()
        self._process.wait()

    def lost(self) -> int:
        """End it and return how many packets were lost; one may have been under way."""
        self._process.send_signal(signal.SIGINT)
        output, __ = self._process.communicate()
        counts = re.search(r"(\d+) packets transmitted, (\d+) received", output)
        assert counts, output[-1000:]
        assert int(counts[1]) > 10
        return int(counts[1]) - int(counts[2])


def nothing(stays: Result) -> State:
    """Return the state in which there is the endpoint that stays, and nothing else."""
    return {"routes": {}, "endpoints": {interface_name(stays["name"]): stays}, "tunnels": {}}


def converge(host: Namespace, jobs: list[Job]) -> None:
    """Do jobs and do them again, which has to change nothing."""

    def work() -> list[int]:
        for job in jobs:
            job.run()
        return [job.run() for job in jobs]

    assert do(host, work)[0] == [0] * len(jobs)


def check(host: Namespace, state: State, names: str) -> None:
    """Compare what there is with a state: nothing is missing, nothing is left over."""
    there, wanted = shown(host, state), expected(state)
    for kind in KINDS:
        assert there[kind] == wanted[kind]
    homes = {entry["netns"] for entry in state["endpoints"].values()}
    assert named(NETNS, names) == homes
    assert named(NOTES, names) == homes


@KILLS
def test_whatever_a_killed_run_leaves_the_next_one_repairs(
    host: Namespace, names: str, stays: Result, seed: int, kills: int
) -> None:
    chance = Chance(seed, names, stays)
    state = nothing(stays)
    converge(host, [Job("endpoints", [stays], exclusive=True)])
    usual: dict[str, float] = {}
    for kind in KINDS * 3:
        job = chance.exclusive(kind)
        duration, state = do(host, job.run)[1], after(state, job)
        usual[kind] = max(duration, usual.get(kind, 0))
    runs = killed = 0
    with Ping(host, stays["addresses"][0]) as ping:
        while runs < kills:
            jobs = [chance.job(state) for __ in range(chance.random.randrange(1, 4))]
            for job in jobs:
                status, answer = Run(host, job.run).kill(chance.random.uniform(0, usual[job.kind]))
                assert status != FAILED, f"{job}: {answer}"
                killed += status is None
                # Follow the machine's speed: later after a run that was struck, earlier after one that got through.
                usual[job.kind] *= 1.1 if status is None else 0.85
                runs += 1
            # After several kills nobody knows what was there, so only exclusive says what there has to be.
            for job in (repair := jobs if len(jobs) == 1 else [chance.exclusive(kind) for kind in KINDS]):
                state = after(state, job)
            converge(host, repair)
            check(host, state, names)
        assert ping.lost() <= 1
    assert killed > kills / 4
    for entry in state["endpoints"].values():
        address = entry["addresses"][0]
        host.reach(address)
    converge(host, [Job(kind, [], exclusive=True) for kind in KINDS])
    check(host, {"routes": {}, "endpoints": {}, "tunnels": {}}, names)


def test_a_run_killed_at_any_of_its_steps_leaves_nothing_that_is_not_known_as_ours(
    host: Namespace, names: str, stays: Result
) -> None:
    tunnel = {**VXLAN, "vni": 4096, "mtu": 1450, "address": "10.246.255.1/32", "peers": PEERS[:2]}
    full: State = {**nothing(stays), "tunnels": {VXLAN["name"]: tunnel}}
    empty: State = {"routes": {}, "endpoints": {}, "tunnels": {}}
    jobs = [Job("endpoints", [stays]), Job("tunnels", [tunnel])]
    clear = [Job(job.kind, [], exclusive=True) for job in jobs]
    for job, before, repair in [*((job, clear, clear) for job in jobs), *((job, jobs, jobs) for job in clear)]:
        for place in itertools.count(1):
            converge(host, before)
            run = Run(host, killed_at(place, job.run))
            run.start()
            status, answer = run.finish()
            converge(host, repair)
            check(host, full if repair is jobs else empty, names)
            if status is not None:
                assert status == DONE, answer
                assert place > 10
                break


def both(host: Namespace, one: list[Job], other: list[Job]) -> None:
    """Let two processes do their jobs at the same time; none of them may fail."""
    runs = [Run(host, lambda jobs=jobs: [job.run() for job in jobs]) for jobs in (one, other)]
    for run in runs:
        run.start()
    for status, answer in [run.finish() for run in runs]:
        assert status == DONE, answer


@ROUNDS
def test_two_runs_with_the_same_lists_converge(
    host: Namespace, names: str, stays: Result, seed: int, rounds: int
) -> None:
    chance = Chance(seed, names, stays)
    state = nothing(stays)
    for __ in range(rounds):
        jobs = [chance.exclusive(kind) for kind in KINDS]
        for job in jobs:
            state = after(state, job)
        both(host, jobs, jobs)
        check(host, state, names)
        converge(host, jobs)


@ROUNDS
def test_two_runs_with_different_lists_make_the_union(
    host: Namespace, names: str, stays: Result, seed: int, rounds: int
) -> None:
    chance = Chance(seed, names, stays)
    other = {**VXLAN, "name": "vxlan.other", "vni": 4242, "mtu": 1450, "address": "10.246.255.9/32", "peers": PEERS[:5]}
    for __ in range(rounds):
        converge(host, [Job(kind, [stays] if kind == "endpoints" else [], exclusive=True) for kind in KINDS])
        state = nothing(stays)
        check(host, state, names)
        listed = {kind: chance.exclusive(kind).listed for kind in KINDS}
        listed["tunnels"].append(other)
        halves = [[Job(kind, listed[kind][half::2]) for kind in KINDS] for half in (0, 1)]
        both(host, *halves)
        for job in (*halves[0], *halves[1]):
            state = after(state, job)
        check(host, state, names)
        for jobs in halves:
            converge(host, jobs)


def nat_options(number: int) -> dict[str, list[str]]:
    """Return options of NAT that differ by number in what is spared."""
    pools = ["10.244.0.0/16", "fd00:1::/64"]
    return {"masquerade": pools, "pools": pools, "exclude": [f"198.51.100.{number}/32"], "tunnels": ["vxlan.calico"]}


def guard_options(number: int) -> dict[str, list[str]]:
    """Return options of the guard that differ by number in one of the nodes and in the encapsulations."""
    used = ["vxlan", *(["ipip"] if number % 2 else [])]
    return {"nodes": ["192.0.2.12", f"192.0.2.{number + 20}"], "encapsulations": used, "uplinks": ["eth0"]}


class Loaded(t.NamedTuple):
    """What is in the table: addresses that are spared, nodes that are trusted, names of rules."""

    spared: list[str]
    nodes: list[str]
    rules: set[str]


def loaded(host: Namespace) -> Loaded:
    listing = json.loads(host.run("nft -j list table inet podnet_calico").stdout)["nftables"]
    sets = {entry["set"]["name"]: entry["set"]["elem"] for entry in listing if entry.get("set", {}).get("elem")}
    rules = [entry["rule"]["comment"] for entry in listing if "rule" in entry]
    assert len(rules) == len({*rules})
    return Loaded(sets["exclude4"], sorted(sets["nodes4"]), {*rules})


@pytest.mark.parametrize("kills", [15, pytest.param(100, marks=pytest.mark.nightly)])
def test_a_killed_run_leaves_the_old_table_or_the_new(host: Namespace, seed: int, kills: int) -> None:
    """Of NAT and guard together: never the one of the old table and the other of the new."""
    choose = random.Random(seed)  # noqa: S311 (nothing is kept secret)

    def ensure(number: int) -> int:
        guarding = guard.parse(guard_options(number))
        return len(nat.ensure(nat.parse(nat_options(number)), guarding, check_mode=False).changes)

    for number in (1, 0):  # the rules of both kinds of options
        __, usual = do(host, lambda number=number: ensure(number))
    rules = {0: loaded(host).rules}
    command = ["sh", "-c", "while nft list table inet podnet_calico; do :; done"]
    watch = subprocess.Popen(["nsenter", f"--net={host.path}", *command], stdout=subprocess.DEVNULL)
    try:
        for number in range(1, kills + 1):
            before = loaded(host)
            run = Run(host, lambda number=number: ensure(number))
            status, answer = run.kill(choose.uniform(0, usual))
            assert status != FAILED, answer
            left = loaded(host)
            assert do(host, lambda number=number: [ensure(number), ensure(number)])[0][1] == 0
            made = loaded(host)
            assert left in (before, made)
            assert (made.spared, made.nodes) == ([f"198.51.100.{number}"], sorted(guard_options(number)["nodes"]))
            assert made.rules == rules.setdefault(number % 2, made.rules)
        assert watch.poll() is None, "there was a moment without the table"
    finally:
        watch.kill()
        watch.wait()


def test_a_namespace_stays_while_another_endpoint_lives_in_it(host: Namespace, names: str) -> None:
    home = {"netns": f"{names}-home", "mtu": 1450}
    first = {**home, "name": f"{names}.1", "addresses": ["10.244.0.5"], "interface": "eth0"}
    second = {**home, "name": f"{names}.2", "addresses": ["fd00:4::6"], "interface": "eth1"}
    state = {**nothing(first), "endpoints": {interface_name(entry["name"]): entry for entry in (first, second)}}
    converge(host, [Job("endpoints", [first, second])])
    check(host, state, names)
    for job in (Job("endpoints", [second], exclusive=True), Job("endpoints", [second], "absent")):
        converge(host, [job])
        state = after(state, job)
        check(host, state, names)


def test_what_a_run_noted_before_it_was_killed_is_taken_up_or_away(host: Namespace, names: str) -> None:
    entry = {"name": f"{names}.1", "netns": f"{names}-1", "addresses": ["10.244.0.5"], "mtu": 1450, "interface": "eth0"}
    state = nothing(entry)
    for left in ("only a note", "note and file", "note and namespace"):
        for job in (
            Job("endpoints", [entry]),
            Job("endpoints", [], exclusive=True),
            Job("endpoints", [entry], "absent"),
        ):
            do(host, lambda left=left: _leave(entry, left))
            converge(host, [job])
            check(host, after({**state, "endpoints": {}}, job), names)
            converge(host, [Job("endpoints", [], exclusive=True)])
            check(host, {**state, "endpoints": {}}, names)


def test_a_link_that_took_the_name_in_this_moment_is_not_marked(host: Namespace) -> None:
    host.ip("link add calirace type bridge")
    entry = {"workload": "race", "netns": "race", "interface": "eth0", "mtu": 1500}
    do(host, lambda: _create_anyway("calirace", entry))
    assert "ifalias" not in host.link("calirace")


def _create_anyway(name: str, entry: Result) -> None:
    """Make a pair as one does who has not seen that the name is taken."""
    with open("/proc/self/ns/net") as netns, Netlink() as netlink, pytest.raises(KernelError, match="File exists"):
        make_marked(netlink, name, creation(name, entry, netns.fileno()), "create endpoint race")


def _leave(entry: Result, what: str) -> None:
    """Leave what is left when the making of an endpoint's namespace ends early."""
    pod_netns.make(entry["netns"], interface_name(entry["name"]), entry["name"])
    if what != "note and namespace":
        subprocess.run(["umount", f"{NETNS}/{entry['netns']}"], check=True)
    if what == "only a note":
        Path(NETNS, entry["netns"]).unlink()
