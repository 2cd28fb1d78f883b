# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes on trial: kept if they carry packets, else put back by a process that outlives the module."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import typing as t

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.net import COLLECTIONS, Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

HOST = "/proc/self/ns/net"
OLD = [
    {"destination": "10.244.1.0/26", "gateway": "192.0.2.77", "device": "eth0", "onlink": True},
    {"destination": "10.244.2.0/26", "type": "blackhole"},
]
NEW = [
    {"destination": "10.244.1.0/26", "gateway": "192.0.2.12", "device": "eth0", "onlink": True},
    {"destination": "10.244.3.0/26", "type": "blackhole"},
]
WELL, LOST = "192.0.2.12", "192.0.2.99"


def confirm(address: str, **more: t.Any) -> Result:
    return {"targets": [{"name": "far", "address": address}], "netns": HOST, "device": "eth0", "wait": 0, **more}


def routes(host: Namespace) -> list[str]:
    return sorted(f"{row['dst']} {row.get('gateway', '')}" for row in host.show("route show proto 98"))


@pytest.fixture
def before(host: Namespace, run_module: RunModule) -> list[str]:
    run_module("calico_route", {"routes": OLD})
    return routes(host)


def test_routes_that_carry_packets_stay(host: Namespace, run_module: RunModule, before: list[str]) -> None:
    options = {"routes": NEW, "exclusive": True, "confirm": confirm(WELL)}
    predicted = run_module("calico_route", options, check=True)
    done = run_module("calico_route", options)
    assert done["changes"] == predicted["changes"]
    assert "pings" not in predicted
    assert [(ping["target"], ping["received"]) for ping in done["pings"]] == [("far", 10)]
    assert routes(host) == ["10.244.1.0/26 192.0.2.12", "10.244.3.0/26 "]
    assert run_module("calico_route", options)["changed"] is False


def test_routes_that_lose_packets_go_back(host: Namespace, run_module: RunModule, before: list[str]) -> None:
    failed = run_module("calico_route", {"routes": NEW, "exclusive": True, "confirm": confirm(LOST)})
    assert "far (192.0.2.99): 100% lost. The routes that were there before are back" in failed["msg"]
    assert failed["failure"]["routes"] == "back"
    assert routes(host) == before


def test_packets_that_travel_otherwise_are_lost(host: Namespace, run_module: RunModule, before: list[str]) -> None:
    target = {"name": "far", "address": WELL, "expected": "VXLAN"}
    asked = {**confirm(WELL), "targets": [target]}
    failed = run_module("calico_route", {"routes": NEW, "exclusive": True, "confirm": asked})
    assert "far (192.0.2.12): travelled as None, expected was VXLAN" in failed["msg"]
    assert routes(host) == before


def test_nothing_to_put_back(host: Namespace, run_module: RunModule, before: list[str]) -> None:
    failed = run_module("calico_route", {"routes": OLD, "confirm": confirm(LOST)})
    assert "100% lost. No route was changed" in failed["msg"]
    assert failed["failure"]["routes"] == "unchanged"


def test_routes_to_pods_are_left_alone(
    host: Namespace, run_module: RunModule, before: list[str], netns_name: t.Callable[[], str]
) -> None:
    """A pod that comes meanwhile keeps its route."""
    pod = {"name": "shop.web-0", "netns": netns_name(), "addresses": ["10.244.0.5"]}
    run_module("calico_veth", {"endpoints": [pod]})
    run_module("calico_route", {"routes": NEW, "exclusive": True, "confirm": confirm(LOST)})
    assert routes(host) == sorted([*before, "10.244.0.5 "])


@pytest.mark.parametrize("wrong", [{"netns": "nowhere"}, {"netns": None}, {"device": "nowhere"}])
def test_what_cannot_be_pinged_is_refused_before_a_change(
    host: Namespace, run_module: RunModule, before: list[str], wrong: Result
) -> None:
    asked = {"routes": NEW, "exclusive": True, "confirm": {**confirm(WELL), **wrong}}
    assert "there before" not in run_module("calico_route", asked)["msg"]
    assert routes(host) == before


@pytest.mark.parametrize("wait", [-1, 3601, "nan"])
def test_a_wait_that_is_none_is_refused(
    host: Namespace, run_module: RunModule, before: list[str], wait: float | str
) -> None:
    failed = run_module("calico_route", {"routes": NEW, "confirm": confirm(WELL, wait=wait)})
    assert "is not between 0 and 3600 seconds" in failed["msg"]
    assert routes(host) == before


def test_options_that_contradict(run_module: RunModule) -> None:
    said = run_module("calico_route", {"routes": NEW, "take_over": True, "confirm": confirm(WELL)})["msg"]
    assert "mutually exclusive: take_over|confirm" in said


MODULE = """
import sys
from ansible.module_utils import basic
from ansible_collections.podnet.calico.plugins.modules import calico_route
basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = sys.argv[1].encode(), "legacy"
calico_route.main()
"""
SLOW = """
import json, sys, time
from ansible_collections.podnet.calico.plugins.module_utils.kernel import route_trial, routes
with route_trial.on_trial(0.2):
    routes.ensure(json.loads(sys.argv[1]), state="present", exclusive=True, check_mode=False)
    time.sleep(1)
"""


def started(host: Namespace, code: str, argument: str) -> subprocess.Popen[str]:
    """Return a Python that runs on the host."""
    return subprocess.Popen(
        ["ip", "netns", "exec", host.name, sys.executable, "-c", code, argument],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_routes_are_back_when_the_proof_takes_too_long(
    host: Namespace, run_module: RunModule, before: list[str]
) -> None:
    __, said = started(host, SLOW, json.dumps(NEW)).communicate()
    assert "this took longer than 0 seconds. The routes that were there before are back" in said
    assert routes(host) == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_routes_are_back_when_the_module_dies(
    host: Namespace, run_module: RunModule, before: list[str], number: signal.Signals
) -> None:
    """As with a connection that is cut, or a control machine that dies, among the pings."""
    options = {"routes": NEW, "exclusive": True, "confirm": confirm(LOST, wait=60)}
    module = started(host, MODULE, json.dumps({"ANSIBLE_MODULE_ARGS": options}))
    wait_for(lambda: "10.244.3.0/26 " in routes(host), "the new routes")
    module.send_signal(number)
    module.communicate()
    wait_for(lambda: routes(host) == before, "the old routes")


HOLD = """
import time
from ansible_collections.podnet.calico.plugins.module_utils.kernel.lock import only_one
with only_one():
    print("held", flush=True)
    time.sleep(2)
"""
IMPATIENT = """
import json, sys, time
from ansible_collections.podnet.calico.plugins.module_utils.kernel import lock, route_trial, routes
lock._PATIENCE = 0.5
with route_trial.on_trial(60):
    routes.ensure(json.loads(sys.argv[1]), state="present", exclusive=True, check_mode=False)
    time.sleep(60)
"""


def test_the_routes_are_back_however_long_another_run_works_on_the_host(
    host: Namespace, run_module: RunModule, before: list[str]
) -> None:
    module = started(host, IMPATIENT, json.dumps(NEW))
    wait_for(lambda: "10.244.3.0/26 " in routes(host), "the new routes")
    environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    with subprocess.Popen([sys.executable, "-c", HOLD], env=environment, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        module.kill()
        module.communicate()
    wait_for(lambda: routes(host) == before, "the old routes")


ALONE = """
import os, sys
from ansible_collections.podnet.calico.plugins.module_utils.kernel import route_trial
fork, forks = os.fork, []
def refused():
    forks.append(None)
    if len(forks) > 1:
        raise BlockingIOError
    return fork()
os.fork = refused
with route_trial.on_trial(60):
    print("changing")
"""


def test_without_a_process_that_puts_them_back_no_routes_are_tried(host: Namespace) -> None:
    done = subprocess.run(
        ["ip", "netns", "exec", host.name, sys.executable, "-c", ALONE],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "start the process that would put routes back" in done.stderr
    assert "changing" not in done.stdout
