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
    assert failed["failure"]["restored"] is True
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
    assert failed["failure"]["restored"] is False


def test_routes_to_pods_are_left_alone(
    host: Namespace, run_module: RunModule, before: list[str], netns_name: t.Callable[[], str]
) -> None:
    """A pod that comes meanwhile keeps its route."""
    pod = {"name": "shop.web-0", "netns": netns_name(), "addresses": ["10.244.0.5"]}
    run_module("calico_veth", {"endpoints": [pod]})
    run_module("calico_route", {"routes": NEW, "exclusive": True, "confirm": confirm(LOST)})
    assert routes(host) == sorted([*before, "10.244.0.5 "])


def test_options_that_contradict(run_module: RunModule) -> None:
    said = run_module("calico_route", {"routes": NEW, "take_over": True, "confirm": confirm(WELL)})["msg"]
    assert "mutually exclusive: take_over|confirm" in said


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_the_routes_are_back_when_the_module_dies(
    host: Namespace, run_module: RunModule, before: list[str], number: signal.Signals
) -> None:
    """As with a connection that is cut, or a control machine that dies, among the pings."""
    options = {"routes": NEW, "exclusive": True, "confirm": confirm(LOST, wait=60)}
    code = (
        "import sys; from ansible.module_utils import basic; "
        "basic._ANSIBLE_ARGS = sys.argv[1].encode(); basic._ANSIBLE_PROFILE = 'legacy'; "
        "from ansible_collections.podnet.calico.plugins.modules import calico_route; calico_route.main()"
    )
    arguments = json.dumps({"ANSIBLE_MODULE_ARGS": options})
    module = subprocess.Popen(
        ["ip", "netns", "exec", host.name, sys.executable, "-c", code, arguments],
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        stdout=subprocess.DEVNULL,
    )
    wait_for(lambda: "10.244.3.0/26 " in routes(host), "the new routes")
    module.send_signal(number)
    module.wait()
    wait_for(lambda: routes(host) == before, "the old routes")
