# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes that must not get through, runs that die on the way, limits and passwords, with real BIRDs."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import typing as t

import pytest

from ansible_collections.podnet.calico.tests.kernel.birds import (
    CONFIG,
    SECRETS,
    SESSION2,
    THREE,
    Bird,
    Birds,
    block,
    changed,
    planned,
    same,
    start_mesh,
)
from ansible_collections.podnet.calico.tests.kernel.net import Result
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

pytest_plugins = ["ansible_collections.podnet.calico.tests.kernel.bird_fixtures"]

Plan = t.Dict[str, Result]


@pytest.fixture
def pair(birds: Birds) -> tuple[Bird, Bird, Plan]:
    """Return two nodes with a session, and their parameters."""
    plan = planned()
    start_mesh(birds, plan)
    wait_for(lambda: len(birds[0].kernel_routes()) == 2)
    return birds[0], birds[1], plan


def filtered(direction: str, prefix: str) -> t.Callable[[Result], None]:
    """Return a change that has a filter refuse a prefix."""

    def change(bgp: Result) -> None:
        rule = {"action": "Reject", "matchOperator": "In", "cidr": prefix}
        bgp["filters"] = [{"name": "bad", "rules": {direction: [rule]}}]
        bgp["sessions"][0]["filters"] = ["bad"]

    return change


@pytest.mark.parametrize("direction", ["importV4", "exportV4"])
def test_a_change_that_loses_routes_is_undone(pair: tuple[Bird, Bird, Plan], direction: str) -> None:
    first, _, plan = pair
    refused = block(plan["node2" if direction == "importV4" else "node1"])
    bad = changed(plan["node1"], filtered(direction, refused))
    before, digest, since = first.config.read_text(), first.digest(), first.since()
    failed = first.module("calico_bird", bad)
    assert failed["failure"]["kind"] == "DaemonError"
    words = "refuses 1 routes that it had" if direction == "importV4" else f"does not announce {refused}"
    assert f"session {SESSION2} {words}; max_routes_lost allows 0 routes. BIRD is back" in failed["msg"]
    assert (first.config.read_text(), first.digest(), first.files()) == (before, digest, [CONFIG])
    wait_for(lambda: "1 imported, 0 filtered, 1 exported" in first.ask(f"show protocols all {SESSION2}"))
    assert first.since() == same(since)
    assert first.apply({**bad, "max_routes_lost": 1})["changed"] is True
    assert first.digest() != digest


def begun(bird: Bird, params: Result) -> subprocess.Popen[str]:
    """Return a run of calico_bird that has changed BIRD and watches it."""
    digest = bird.digest()
    run = bird.begin(params)
    wait_for(lambda: bird.digest() != digest)
    return run


def grown(plan: Plan) -> Result:
    """Return other parameters for node1, with a short time to undo."""
    return {**changed(plan["node1"], lambda bgp: bgp["families"][0]["blocks"].append("10.244.255.0/26")), "timeout": 5}


@pytest.mark.parametrize("next_run", ["after BIRD's undo", "at once"])
def test_a_killed_run_is_undone_and_the_next_one_converges(pair: tuple[Bird, Bird, Plan], next_run: str) -> None:
    first, _, plan = pair
    before, digest, since = first.config.read_text(), first.digest(), first.since()
    run = begun(first, grown(plan))
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert (first.config.read_text(), first.files()) == (before, [CONFIG, f"{CONFIG}.candidate"])
    if next_run == "after BIRD's undo":
        wait_for(lambda: first.digest() == digest)
    done = first.apply(grown(plan))
    assert (done["prefixes_announced"], first.files()) == (["10.244.255.0/26"], [CONFIG])
    assert first.keeps_what_it_has()
    assert f'"{first.digest()}"' in first.config.read_text()
    assert first.module("calico_bird", grown(plan))["changed"] is False
    assert first.since() == same(since)


def test_a_run_that_loses_its_connection_goes_on(pair: tuple[Bird, Bird, Plan]) -> None:
    first, _, plan = pair
    digest = first.digest()
    run = begun(first, grown(plan))
    assert run.stdout is not None
    run.stdout.close()
    os.kill(run.pid, signal.SIGHUP)
    run.wait()
    assert first.keeps_what_it_has()
    assert first.digest() != digest
    assert f'"{first.digest()}"' in first.config.read_text()
    assert first.files() == [CONFIG]


def test_a_session_that_ends_though_it_should_stay_undoes_the_change(pair: tuple[Bird, Bird, Plan]) -> None:
    first, _, plan = pair
    before, digest = first.config.read_text(), first.digest()
    run = begun(first, grown(plan))
    first.ask(f"restart {SESSION2}")
    assert run.stdout is not None
    failed = json.loads(run.stdout.read())
    run.wait()
    assert f"session {SESSION2} was established and is " in failed["msg"]
    assert (first.config.read_text(), first.digest(), first.files()) == (before, digest, [CONFIG])


def test_a_session_that_the_peer_ends_is_not_the_change_s_fault(pair: tuple[Bird, Bird, Plan]) -> None:
    first, second, plan = pair
    run = begun(first, grown(plan))
    second.ask("restart bgp_192_0_2_11")
    assert run.stdout is not None
    done = json.loads(run.stdout.read())
    assert done.get("changed") is True, done["msg"]
    run.wait()
    assert f'"{first.digest()}"' in first.config.read_text()


LIMITS: dict[str, tuple[t.Callable[[Result], t.Any], Result, str]] = {
    "sessions": (
        lambda bgp: bgp["sessions"][0].update(keepalive_time=10),
        {"max_sessions_reset": 0},
        f"reset BGP sessions: 1, and max_sessions_reset allows 0: {SESSION2}.",
    ),
    "prefixes": (
        lambda bgp: bgp["families"][0].update(blocks=[]),
        {"max_prefixes_withdrawn": 0},
        "withdraw prefixes: 1, and max_prefixes_withdrawn allows 0: 10.244.",
    ),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_more_than_a_limit_is_refused_before_anything_changes(pair: tuple[Bird, Bird, Plan], limit: str) -> None:
    first, _, plan = pair
    change, options, words = LIMITS[limit]
    before, digest, since = first.config.read_text(), first.digest(), first.since()
    for check in (True, False):
        failed = first.module("calico_bird", {**changed(plan["node1"], change), **options}, check=check)
        assert (failed["failure"]["kind"], words in failed["msg"]) == ("Conflict", True), failed["msg"]
    assert (first.config.read_text(), first.digest()) == (before, digest)
    assert first.since() == same(since)
    [[option, value]] = options.items()
    first.apply({**changed(plan["node1"], change), option: value + 1})


def test_a_timeout_in_which_nothing_can_be_seen_is_refused(birds: Birds) -> None:
    failed = birds[0].module("calico_bird", {**planned()["node1"], "timeout": 1})
    assert failed["failure"]["kind"] == "InvalidInput"


OLD, NEW = "the-old-word-of-both", "the-new-word-of-both"


def secured(params: Result, word: str) -> Result:
    secret = {"name": "bgp", "key": "mesh", "optional": False}
    made = changed(params, lambda bgp: bgp["sessions"][0].update(password=secret))
    return {**made, "passwords": {"bgp": {"mesh": word}}}


def assert_hidden(bird: Bird, *results: Result) -> None:
    """The words are in the one file that only BIRD's user reads, and nowhere else."""
    assert bird.secrets.stat().st_mode & 0o777 == 0o600
    assert bird.secrets.stat().st_uid == pwd.getpwnam("bird").pw_uid
    texts = [json.dumps(result) for result in results] + [bird.config.read_text()]
    assert not [text for text in texts if OLD in text or NEW in text]


def test_passwords_come_change_and_go(pair: tuple[Bird, Bird, Plan]) -> None:
    birds, plan = pair[:2], pair[2]
    for word in (OLD, NEW):
        wait_for(lambda: birds[0].established(SESSION2))
        for bird, params in zip(birds, plan.values()):
            predicted = bird.module("calico_bird", secured(params, word), check=True)
            done = bird.apply(secured(params, word))
            assert done["sessions_reset"] == [session["name"] for session in params["bgp"]["sessions"]]
            assert_hidden(bird, predicted, done)
            assert word in bird.secrets.read_text()
            assert bird.files() == [SECRETS, CONFIG]
            assert bird.module("calico_bird", secured(params, word))["changed"] is False
    wait_for(lambda: birds[0].established(SESSION2))
    for bird, params in zip(birds, plan.values()):
        bird.apply(params)
        assert bird.files() == [CONFIG]
    wait_for(lambda: birds[0].established(SESSION2))


@pytest.mark.parametrize(("mode", "user"), [(0o640, "bird"), (0o600, "root")])
def test_a_file_of_passwords_for_others_to_read_is_put_right(
    pair: tuple[Bird, Bird, Plan], mode: int, user: str
) -> None:
    first, _, plan = pair
    first.apply(secured(plan["node1"], OLD))
    first.secrets.chmod(mode)
    shutil.chown(first.secrets, user)
    done = first.apply(secured(plan["node1"], OLD))
    assert [change["kind"] for change in done["changes"]] == ["secrets"]
    assert done["sessions_reset"] == []
    assert_hidden(first, done)
    assert first.module("calico_bird", secured(plan["node1"], OLD))["changed"] is False


def test_a_changed_password_shows_as_changed_only(pair: tuple[Bird, Bird, Plan]) -> None:
    first, _, plan = pair
    first.apply(secured(plan["node1"], OLD))
    shown = first.module("calico_bird", secured(plan["node1"], NEW), check=True)
    assert 'password: "set"' in shown["diff"]["before"]
    assert 'password: "changed"' in shown["diff"]["after"]
    assert [change["kind"] for change in shown["changes"]] == ["secrets", "session"]


def test_a_killed_change_of_passwords_converges(birds: Birds) -> None:
    first, plan = birds[0], planned(nodes=THREE)
    start_mesh(birds, plan)
    first.apply(secured(plan["node1"], OLD))
    old = first.ask("eval PODNET_SECRETS")
    run = first.begin({**secured(plan["node1"], NEW), "timeout": 5})
    wait_for(lambda: first.ask("eval PODNET_SECRETS") != old)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    done = first.apply(secured(plan["node1"], NEW))
    assert done["sessions_reset"] == [SESSION2]
    assert first.files() == [SECRETS, CONFIG]
    assert NEW in first.secrets.read_text()
    assert first.ask("eval PODNET_SECRETS").split()[-1] in first.secrets.read_text()


def test_a_password_that_is_missing_is_named_and_nothing_changes(pair: tuple[Bird, Bird, Plan]) -> None:
    first, _, plan = pair
    failed = first.module("calico_bird", {**secured(plan["node1"], OLD), "passwords": {}})
    assert failed["failure"]["kind"] == "InvalidInput"
    assert "secret bgp, key mesh" in failed["msg"]
    assert first.files() == [CONFIG]


def test_absent_removes_the_passwords(pair: tuple[Bird, Bird, Plan]) -> None:
    first, _, plan = pair
    first.apply(secured(plan["node1"], OLD))
    first.apply({"state": "absent"})
    assert first.files() == []
