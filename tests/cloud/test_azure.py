# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module calico_azure_nic through Azure's own libraries, against the stand-in for Resource Manager on loopback."""

from __future__ import annotations

import copy
import typing as t

import pytest

from ansible_collections.podnet.calico.tests.cloud.arm import ADDRESSES, Azure, machine_id
from ansible_collections.podnet.calico.tests.cloud.conftest import Result, RunModule
from ansible_collections.podnet.calico.tests.cloud.converging import converge

NAME = "calico_azure_nic"
OTHERS = {"owner": "somebody"}
ON = (True, {**OTHERS, "podnet.calico.ip-forwarding": "off"})
OFF = (False, OTHERS)
Run = t.Callable[..., Result]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Azure]:
    """Return Azure, for this file."""
    made = Azure(tmp_path_factory.mktemp("keys"))
    yield made
    made.stop()


@pytest.fixture
def azure(started: Azure) -> Azure:
    """Return Azure with three machines."""
    started.fresh()
    return started


@pytest.fixture
def converged(run_module: RunModule, azure: Azure) -> Run:
    """Return a function that runs the module, see converge()."""
    return lambda params: converge(run_module, NAME, params, environment=azure.environment())


@pytest.fixture
def once(run_module: RunModule, azure: Azure) -> Run:
    """Return a function that runs the module once."""
    return lambda params, **more: run_module(NAME, params, **{"environment": azure.environment(), **more})


def options(azure: Azure, *modes: str, **more: t.Any) -> Result:
    machines = [{"id": machine_id(f"Node{n}"), "addresses": [f"{at}/24"]} for n, at in enumerate(ADDRESSES, 1)]
    chosen = {"encapsulations": list(modes)} if modes else {"state": "absent"}
    return {"machines": machines, "endpoint_url": azure.url, **chosen, **more}


@pytest.mark.parametrize(
    ("modes", "state"),
    [(["None"], ON), (["VXLAN"], OFF), (["VXLANCrossSubnet"], ON), (["VXLAN", "None"], ON)],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_each_mode_gets_what_it_needs_and_all_is_taken_back(
    azure: Azure, converged: Run, modes: list[str], state: t.Any
) -> None:
    before = copy.deepcopy(azure.nics)
    done = converged(options(azure, *modes))
    assert azure.state() == dict.fromkeys(ADDRESSES, state)
    assert [row["ip_forwarding"] for row in done["nics"]] == [state[0]] * 3
    converged(options(azure))
    for nic in (*before.values(), *azure.nics.values()):
        del nic["etag"]
    assert azure.nics == before


def test_check_mode_writes_nothing_and_the_diff_tells(azure: Azure, once: Run) -> None:
    result = once(options(azure, "None"), check=True)
    assert result["changed"]
    assert 'IP forwarding node1-nic of node1\n  forwarding: "on"' in result["diff"]["after"]
    assert azure.writes == []


def test_only_nics_with_a_nodes_address_are_touched(azure: Azure, converged: Run) -> None:
    azure.add_nic("node1", "node1-second", "10.0.1.11")
    converged(options(azure, "None"))
    assert azure.state()["10.0.1.11"] == OFF
    converged(options(azure, "None", machines=[{"id": machine_id("node1")}]))
    assert azure.state()["10.0.1.11"] == ON


def test_what_others_switched_on_stays_on(azure: Azure, converged: Run) -> None:
    azure.nics["node1-nic"]["properties"]["enableIPForwarding"] = True
    converged(options(azure, "None"))
    converged(options(azure))
    assert azure.state() == {**dict.fromkeys(ADDRESSES, OFF), ADDRESSES[0]: (True, OTHERS)}


def test_a_change_of_mode_keeps_it_until_it_is_purged(azure: Azure, converged: Run) -> None:
    converged(options(azure, "None"))
    converged(options(azure, "VXLAN"))
    assert azure.state() == dict.fromkeys(ADDRESSES, ON)
    converged(options(azure, "VXLAN", purge=True))
    assert azure.state() == dict.fromkeys(ADDRESSES, OFF)


def test_a_machine_without_nic_is_named_but_does_not_hinder_removal(azure: Azure, once: Run) -> None:
    refused = once(options(azure, "None", machines=[{"id": machine_id("gone")}]))
    assert "virtualmachines/gone has no network interface" in refused["msg"]
    assert once(options(azure, "None"))["changed"]
    assert once(options(azure, machines=[{"id": machine_id(name)} for name in ("node1", "gone")]))["changed"]
    assert azure.state()[ADDRESSES[0]] == OFF


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_missing_permission_is_explained(azure: Azure, once: Run, method: str) -> None:
    azure.denied = (method,)
    refused = once(options(azure, "None"))
    assert "Allow Microsoft.Network/networkInterfaces/read and /write" in refused["msg"]
    assert azure.state() == dict.fromkeys(ADDRESSES, OFF)


@pytest.mark.parametrize(
    ("change", "environment", "says"),
    [
        ({}, {"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}, "Give azure-identity credentials"),
        ({"endpoint_url": "https://127.0.0.1:1"}, {}, "Give azure-identity credentials"),
        ({"machines": [{"id": "node1"}]}, {}, "'node1' is no resource id of a virtual machine"),
        ({"machines": [{"id": machine_id("a")}, {"id": machine_id("a")}]}, {}, "is listed twice"),
    ],
    ids=["credentials", "place", "id", "twice"],
)
def test_bad_input_is_explained(
    azure: Azure, once: Run, change: Result, environment: dict[str, str], says: str
) -> None:
    refused = once({**options(azure, "None"), **change}, environment={**azure.environment(), **environment})
    assert refused["failed"]
    assert says in refused["msg"]
