# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as options: what is complete stays as it is, and every wrong shape is refused by its place."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.node_plan import Bgp, Host, NodePlan
from ansible_collections.podnet.calico.plugins.module_utils.planner.shapes import checked_passwords, complete
from ansible_collections.podnet.calico.tests.unit.planner.clusters import cluster, document, plan_all, pool, seen

Data = t.Dict[str, t.Any]
ROUTER = document(
    "BGPPeer", "router", peerIP="192.0.2.1", asNumber=64513, password={"secretKeyRef": {"name": "s", "key": "k"}}
)
STORED = cluster(pool("a", encapsulation="IPIP", natOutgoing=True), pool("b", "10.9.0.0/16"), extra=[ROUTER])
PLAN: Data = json.loads(json.dumps(plan_all(STORED, seen(), "auto", standby=True)["node1"]))
GOOD: dict[str, tuple[t.Any, Data]] = {
    "plan": (NodePlan, PLAN),
    "bgp": (Bgp, PLAN["bgp"]),
    "host": (Host, seen()["node1"]),
}
Path = t.Tuple[t.Union[str, int], ...]


def places(value: t.Any, path: Path = ()) -> t.Iterator[Path]:
    """Yield the places of all values but of the rules of filters, the first one of each list."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def changed(value: Data, path: Path, new: t.Any) -> t.Any:
    if not path:
        return new
    result = copy.deepcopy(value)
    place: t.Any = result
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = new
    return result


@pytest.mark.parametrize(("shape", "value"), GOOD.values(), ids=GOOD)
def test_what_is_complete_stays_as_it_is(shape: t.Any, value: Data) -> None:
    assert complete(shape, {**value, "more": 1}, "x") == {**complete(shape, value, "x"), "more": 1}
    assert complete(shape, value, "x").items() >= value.items()


@pytest.mark.parametrize(("shape", "value"), GOOD.values(), ids=GOOD)
def test_every_wrong_shape_is_refused_by_its_place(shape: t.Any, value: Data) -> None:
    class Odd(list):  # type: ignore[type-arg]
        """What no field takes: a list where there is none, of what no list has."""

    for path in places(value):
        wrong = changed(value, path, [Odd()] if not isinstance(value, list) else 7)
        with pytest.raises(InvalidInput) as refused:
            complete(shape, wrong, "option")
        in_brackets = [isinstance(key, int) or above in ("sysctls", "nodes") for above, key in zip(("", *path), path)]
        named = "".join(f"[{key}]" if inside else f".{key}" for inside, key in zip(in_brackets, path))
        assert f"option{named}" in str(refused.value), path


REFUSED: list[tuple[t.Any, Data, Path, t.Any, str]] = [
    (Host, GOOD["host"][1], ("mtu",), "1500", 'option.mtu "1500" is not an integer'),
    (Host, GOOD["host"][1], ("mtu",), True, "option.mtu true is not an integer"),
    (Host, GOOD["host"][1], ("address",), "x", 'option.address "x" is neither a network nor an address'),
    (Host, GOOD["host"][1], ("encapsulations",), "vxlan", 'option.encapsulations "vxlan" is not a list'),
    (Bgp, PLAN["bgp"], ("families", 0, "version"), 7, "option.families[0].version 7 is not one of 4, 6"),
    (Bgp, PLAN["bgp"], ("cluster_id",), "fe80::1%lo", 'option.cluster_id "fe80::1%lo" is not an IP address'),
    (NodePlan, PLAN, ("blocks",), ["10.0.0.0/33"], 'option.blocks[0] "10.0.0.0/33" is neither a network'),
    (NodePlan, PLAN, ("tunnels", 0, "kind"), "gre", "is not one of 'ipip', 'vxlan'"),
    (NodePlan, PLAN, ("bgp",), {"a": "b"}, "option.bgp.router_id is missing"),
]


@pytest.mark.parametrize(("shape", "value", "path", "new", "text"), REFUSED)
def test_refusals(shape: t.Any, value: Data, path: Path, new: t.Any, text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        complete(shape, changed(value, path, new), "option")
    assert text in str(refused.value)


def test_what_has_a_default_may_be_left_out() -> None:
    value = {key: GOOD["host"][1][key] for key in ("address", "device", "mtu")}
    assert complete(Host, value, "x")["encapsulations"] == ["ipip", "vxlan"]


@pytest.mark.parametrize(
    ("given", "text"), [({"a": "b4d"}, "passwords.a is not a mapping"), ({"a": {"b": ["b4d"]}}, "passwords.a.b is not")]
)
def test_passwords_of_another_shape_are_refused_and_not_shown(given: Data, text: str) -> None:
    assert checked_passwords({"a": {"b": "x", "c": 7}}) == {"a": {"b": "x", "c": 7}}
    with pytest.raises(InvalidInput, match=text) as refused:
        checked_passwords(given)
    assert "b4d" not in str(refused.value)


def test_only_the_fields_that_are_asked_for_are_looked_at() -> None:
    value = {"device": "eth0", "mtu": "many"}
    assert complete(Host, value, "x", ("device", "advertised")) == {**value, "advertised": []}
    with pytest.raises(InvalidInput, match=r"x\.address is missing"):
        complete(Host, value, "x", ("address",))
