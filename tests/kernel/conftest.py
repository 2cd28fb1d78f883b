# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests against this kernel. They need root; nothing outside of throw-away namespaces is touched."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel import private_run
from ansible_collections.podnet.calico.tests.kernel.net import (
    NONE,
    Modules,
    Namespace,
    Result,
    start_modules,
    unique,
)
from ansible_collections.podnet.calico.tests.kernel.route_monitor import Monitor
from ansible_collections.podnet.calico.tests.tools import seeds
from ansible_collections.podnet.calico.tests.unit.conftest import golden

__all__ = ["golden"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root, say so instead of failing one by one."""
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="network namespaces need root"))


@pytest.fixture(scope="session", autouse=True)
def own_run() -> t.Iterator[None]:
    """Have a /run that no other process of pytest shares, in which the tests leave nothing behind."""
    private_run.enter()
    yield
    assert private_run.left_behind() == []


@pytest.fixture(scope="session")
def servers(own_run: None, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[t.Callable[[str], Modules]]:
    """Return a function that returns the modules with one line of pyroute2 or none, whose Python is started once."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(pyroute2: str) -> Modules:
            found = start_modules(pyroute2, tmp_path_factory.mktemp("site"))
            stack.callback(found.close)
            return found

        yield start


@pytest.fixture
def modules(request: pytest.FixtureRequest, servers: t.Callable[[str], Modules]) -> Modules:
    """Return the modules run by Debian's Python; pyroute2 is there only where a test asks for it, see net.py."""
    return servers(getattr(request, "param", NONE))


@pytest.fixture
def seed() -> int:
    """Return what all random choices of a test follow from."""
    return seeds.seed()


@pytest.fixture
def new_namespace() -> t.Iterator[t.Callable[[str], Namespace]]:
    """Return a function that makes a namespace with its loopback up; all are removed in the end."""
    with contextlib.ExitStack() as stack:

        def make(word: str) -> Namespace:
            return stack.enter_context(Namespace.made(word))

        yield make


@pytest.fixture
def host(new_namespace: t.Callable[[str], Namespace]) -> Namespace:
    """Return a host with eth0 (192.0.2.11/24, 2001:db8::11/64) and eth1, and no default route."""
    host, far = new_namespace("host"), new_namespace("far")
    up = [f"link set {device} addrgenmode none up" for device in ("eth0", "eth1")]
    pairs = [f"link add {device} type veth peer name {device} netns {far.name}" for device in ("eth0", "eth1")]
    host.batch(*pairs, *up, "addr add 192.0.2.11/24 dev eth0", "addr add 2001:db8::11/64 dev eth0 nodad")
    far.batch(*up, "addr add 192.0.2.12/24 dev eth0")
    return host


RunModule = t.Callable[..., Result]
NetnsName = t.Callable[[], str]
WORKLOAD = "shop.web-0"


@pytest.fixture
def run_module(modules: Modules, host: Namespace) -> RunModule:
    """Return a function that runs a module on the host: run_module(name, params, check=False, diff=True)."""

    def run(name: str, params: Result, *, check: bool = False, diff: bool = True) -> Result:
        return modules.run(host.path, name, params, check=check, diff=diff)

    return run


@pytest.fixture
def converge(run_module: RunModule) -> RunModule:
    """Return a function that runs a module as it has to be: check mode predicts it, a second run is unchanged."""

    def run(name: str, params: Result) -> Result:
        predicted = run_module(name, params, check=True)
        done = run_module(name, params)
        assert not done.get("failed"), done
        assert (predicted["changes"], predicted["diff"]) == (done["changes"], done["diff"])
        again = run_module(name, params)
        assert again["changed"] is False, again
        return done

    return run


@pytest.fixture
def monitor(host: Namespace) -> t.Iterator[Monitor]:
    """Return a monitor of the host's routes."""
    found = Monitor(host)
    yield found
    found.close()


@pytest.fixture
def netns_name() -> t.Iterator[t.Callable[[], str]]:
    """Return a function that names namespaces for modules to make; what is left of them is removed."""
    names: list[str] = []

    def name() -> str:
        names.append(unique("pod"))
        return names[-1]

    yield name
    for left in names:
        subprocess.run(["ip", "netns", "del", left], capture_output=True, check=False)
        Path("/run/podnet.calico/netns", left).unlink(missing_ok=True)


@pytest.fixture
def pod(netns_name: NetnsName) -> Result:
    """Return an endpoint with addresses of both IP versions, in a namespace that the module has to make."""
    return {"name": WORKLOAD, "netns": netns_name(), "addresses": ["10.244.0.5", "fd00::5"], "mtu": 1450}


@pytest.fixture
def gateway(host: Namespace, run_module: RunModule) -> Namespace:
    """Return the host as a plan leaves it: it forwards, and has the route for the pods' gateway."""
    host.run("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    route = {"destination": "169.254.1.1/32", "device": "lo", "scope": "link"}
    run_module("calico_route", {"routes": [route]})
    return host
