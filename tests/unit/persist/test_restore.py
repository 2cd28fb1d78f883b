# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The restore file as text, for the plan of each mode and for all that a route can have; what is refused."""

from __future__ import annotations

import json
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.kernel import guard
from ansible_collections.podnet.calico.plugins.module_utils.persist import restore
from ansible_collections.podnet.calico.plugins.module_utils.persist.restore_functions import functions
from ansible_collections.podnet.calico.tests.unit import programs

Data = t.Dict[str, t.Any]
Golden = t.Callable[[str, str], None]
PLANS = sorted((Path(__file__).parents[2] / "golden" / "plans").glob("*.json"))

PEER: Data = {"node": "node2", "address": "10.244.1.0", "mac": "66-00-00-00-00-0A", "underlay": "192.0.2.12"}
VXLAN: Data = {
    "kind": "vxlan",
    "name": "vxlan.calico",
    "address": "10.244.0.1/32",
    "mtu": 1450,
    "local": "192.0.2.11",
    "parent": "eth0",
    "mac": "66:00:00:00:00:01",
    "vni": 4096,
    "port": 4789,
    "peers": [PEER],
}
VXLAN6: Data = {**VXLAN, "name": "vxlan-v6.calico", "address": "fd00:1::/128", "local": "2001:db8::11", "peers": []}
ROUTES: list[Data] = [
    {"destinations": ["10.1.0.0/16", "10.2.0.7/32"], "gateway": "192.0.2.12"},
    {"destination": "10.3.0.0/16", "device": "eth1"},
    {"destination": "169.254.1.1/32", "device": "lo", "scope": "link"},
    {"destination": "0.0.0.0/0", "gateway": "192.0.2.1", "device": "eth0", "source": "192.0.2.11", "table": 1000},
    {"destination": "10.4.0.0/16", "type": "unreachable", "metric": 9},
    {"destination": "10.5.0.0/16", "next_hops": [{"gateway": "192.0.2.1", "weight": 3}, {"device": "eth1"}]},
    {"destination": "fd00:2::/64", "gateway": "fd00:2::", "device": "vxlan-v6.calico", "onlink": True, "metric": 1},
    {"destination": "fd00:3::/64", "gateway": "2001:db8::12", "device": "eth0", "mtu": 1400},
    {"destination": "fd00:1::/122", "type": "blackhole"},
]
NO_NAT: Data = {"masquerade": [], "pools": [], "exclude": [], "tunnels": []}


def render(
    tunnels: list[Data],
    routes: list[Data],
    nat: Data | None = None,
    *,
    offload: bool | None = None,
    guarding: Data | None = None,
) -> tuple[str, str]:
    """Return what is the same in all restore files, and what is of this node."""
    text = restore.render(restore.wanted(tunnels, routes, {**NO_NAT, **(nat or {})}, offload, guarding))
    same = functions(offload=bool(tunnels) and offload is not None)
    before, found, after = text.partition(same)
    assert found
    return before + found, after


def of_plan(path: Path, *, offload: bool | None = None) -> tuple[str, str]:
    plan = json.loads(path.read_text())
    nat = {**plan["nat"], "tunnels": [tunnel["name"] for tunnel in plan["tunnels"]]}
    return render(plan["tunnels"], plan["routes"], nat, offload=offload, guarding=guard.of_plan(plan))


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_what_the_plan_of_a_mode_restores(golden: Golden, path: Path) -> None:
    golden(f"restore/{path.stem}.txt", of_plan(path)[1])


def test_all_that_can_be_restored(golden: Golden) -> None:
    nat = {"masquerade": ["10.244.0.0/16"], "pools": ["10.244.0.0/16"], "exclude": ["198.51.100.7", "192.0.2.0/24"]}
    trusted = {"nodes": ["192.0.2.12", "2001:db8::12"], "encapsulations": ["ipip", "vxlan"], "uplinks": ["veth0"]}
    golden("restore/everything.txt", render([VXLAN, VXLAN6], ROUTES, nat, offload=True, guarding=trusted)[1])


def test_what_is_the_same_on_all_nodes(golden: Golden) -> None:
    golden("restore/functions.txt", render([VXLAN], [], offload=False)[0])


def test_nothing_to_restore_is_a_file_that_does_nothing() -> None:
    assert render([], [])[1] == '\nlock\nsysctls\n\nexit "$status"\n'


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_shells_read_it(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "restore"
    file.write_text("".join(of_plan(path, offload=False)))
    subprocess.run(["sh", "-n", str(file)], check=True)


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_shellcheck_finds_nothing(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "restore"
    file.write_text("".join(of_plan(path, offload=False)))
    # Functions that a node does not need are unreachable (SC2317).
    subprocess.run([programs.find("shellcheck"), "-e", "SC2317", str(file)], check=True)


def test_names_of_nodes_that_are_no_names_are_left_out() -> None:
    odd = {**PEER, "node": "node2\nip link del eth0"}
    assert "link del" not in render([{**VXLAN, "peers": [odd]}], [])[1]


REFUSED: dict[str, tuple[list[Data], list[Data], str]] = {
    "a name that a shell reads otherwise": (
        [{**VXLAN, "name": "$(reboot)"}],
        [],
        'write the restore file: the device "$(reboot)" has a name that scripts cannot be trusted with',
    ),
    "a device of a route": ([], [{"destination": "10.0.0.0/8", "device": "eth0;id"}], 'the device "eth0;id"'),
    "twice the same tunnel": ([VXLAN, VXLAN], [], "tunnels: vxlan.calico is listed twice"),
    "a tunnel that lacks something": ([{**VXLAN, "vni": None}], [], "a vxlan needs the option vni"),
    "host bits": ([], [{"destination": "10.0.0.1/8", "type": "blackhole"}], "it has host bits set"),
}


@pytest.mark.parametrize(("tunnels", "routes", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(tunnels: list[Data], routes: list[Data], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        render(tunnels, routes)
    assert message in str(caught.value)
