# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""calico_route with a file of routes, which Ansible's argument specification does not see."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result

BLOCK = "10.244.1.0/26"
BLOCK6 = "fd00:1::/122"
GOOD = {"destination": "10.244.9.0/26", "type": "blackhole"}


@pytest.fixture
def write(tmp_path: Path) -> t.Callable[[t.Any], str]:
    """Return a function that writes data as JSON, or text as it is, and returns the path."""

    def to_file(content: t.Any) -> str:
        path = tmp_path / "routes.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return to_file


def test_a_file_is_the_same_as_a_list(
    host: Namespace, converge: RunModule, run_module: RunModule, write: t.Callable[[t.Any], str]
) -> None:
    before = host.state()
    routes: list[Result] = [
        {"destinations": [BLOCK, "10.244.2.0/26"], "gateway": "192.0.2.12", "metric": 50, "table": 1000},
        {
            "destination": "10.244.4.0/26",
            "next_hops": [{"gateway": "192.0.2.12", "weight": 3}, {"gateway": "192.0.2.13"}],
        },
        {"destinations": [BLOCK6, "10.244.3.0/26"], "type": "unreachable", "mtu": None, "next_hops": None},
        {"destination": "0.0.0.0/0", "gateway": "192.0.2.12", "device": "eth0", "onlink": False, "scope": "global"},
    ]
    path = write(routes)
    assert converge("calico_route", {"src": path})["summary"]["create"] == 6
    assert run_module("calico_route", {"routes": routes, "exclusive": True})["changed"] is False
    write(routes[:1])
    done = converge("calico_route", {"src": path, "exclusive": True})
    assert done["summary"] == {"create": 0, "replace": 0, "delete": 4}
    assert {route["table"] for route in host.routes().values()} == {"1000"}
    converge("calico_route", {"src": path, "state": "absent"})
    assert host.state() == before


def test_an_empty_file_of_routes(host: Namespace, converge: RunModule, write: t.Callable[[t.Any], str]) -> None:
    converge("calico_route", {"routes": [GOOD]})
    assert converge("calico_route", {"src": write([])})["surplus"] == [GOOD["destination"]]
    assert converge("calico_route", {"src": write([]), "exclusive": True})["summary"]["delete"] == 1
    assert host.routes() == {}


def unicast(**options: t.Any) -> list[Result]:
    return [GOOD, {"destination": BLOCK, "gateway": "192.0.2.12", **options}]


WRONG: dict[str, tuple[t.Any, str]] = {
    "not JSON": ("destination: 10.0.0.0/8", "it is not JSON: Expecting value: line 1 column 1"),
    "cut off": ('[{"destination": "10.0.0.0/8"', "it is not JSON: "),
    "empty": ("", "it is not JSON: "),
    "nested too deep": ("[" * 200000, "it is not JSON: "),
    "a mapping": (GOOD, "routes: expected a list, got dict"),
    "nothing": (None, "routes: expected a list, got nothing"),
    "a list of text": ([GOOD, BLOCK], "routes: number 2 is str, not a mapping"),
    "an entry of nothing": ([GOOD, None], "routes: number 2 is nothing, not a mapping"),
    "no destination": ([GOOD, {"device": "eth0"}], "number 2 needs either destination or destinations"),
    "both": (unicast(destinations=[BLOCK]), "number 2 needs either destination or destinations"),
    "destination a number": ([GOOD, {"destination": 10, "device": "eth0"}], "number 2: destinations are not all text"),
    "destinations text": ([GOOD, {"destinations": BLOCK, "device": "eth0"}], "destinations are not all text"),
    "destinations mixed": ([GOOD, {"destinations": [BLOCK, None]}], "number 2: destinations are not all text"),
    "metric as text": (unicast(metric="7"), f"route {BLOCK}: metric is str, not int"),
    "metric as truth": (unicast(metric=True), f"route {BLOCK}: metric is bool, not int"),
    "metric negative": (unicast(metric=-1), "metric -1 is not between 0 and 4294967295"),
    "metric too large": (unicast(metric=1 << 32), "metric 4294967296 is not between"),
    "mtu": (unicast(mtu=0), "mtu 0 is not between 1 and 65535"),
    "table": (unicast(table=0), "table 0 is not between 1 and"),
    "table a fraction": (unicast(table=1.5), "table is float, not int"),
    "onlink as text": (unicast(onlink="yes"), "onlink is str, not bool"),
    "gateway a number": ([{"destination": BLOCK, "gateway": 3221225985}], "gateway is int, not str"),
    "type": (unicast(type="throw"), 'type "throw" is none of unicast, blackhole, unreachable'),
    "scope": (unicast(scope="host"), 'scope "host" is none of global, link'),
    "unknown option": (unicast(via="192.0.2.1"), f"route {BLOCK}: there is no option via. Options are type, gateway"),
    "next_hops a mapping": ([{"destination": BLOCK, "next_hops": {"device": "eth0"}}], "next_hops is dict, not list"),
    "a hop of text": ([{"destination": BLOCK, "next_hops": ["192.0.2.1"]}], "one of next_hops is str, not a mapping"),
    "weight": ([{"destination": BLOCK, "next_hops": [{"device": "eth0", "weight": 257}]}], "weight 257 is not between"),
    "option of a hop": (
        [{"destination": BLOCK, "next_hops": [{"device": "eth0", "metric": 3}]}],
        f"route {BLOCK}: next_hops: there is no option metric",
    ),
    "next_hops and gateway": (unicast(next_hops=[{"device": "eth0"}]), "next_hops and gateway, device or onlink"),
    "source of the other family": (unicast(source="2001:db8::11"), "source 2001:db8::11 is of another IP version"),
    "address with a zero byte": (unicast(source="192.0.2.11\0"), "is not an address"),
    "destination with blanks": ([GOOD, {"destination": f" {BLOCK}", "device": "eth0"}], "is not a network"),
    "leading zeros": ([GOOD, {"destination": "10.244.1.0/026", "device": "eth0"}], '"026" is not a prefix length'),
    "prefix length too long": ([GOOD, {"destination": "10.0.0.0/33", "device": "eth0"}], '"33" is not a prefix length'),
    "prefix length missing": ([GOOD, {"destination": "10.0.0.0/", "device": "eth0"}], '"" is not a prefix length'),
    "prefix length none": ([GOOD, {"destination": "10.0.0.7/none", "device": "eth0"}], '"none" is not a prefix length'),
    "one bad of many": ([{"destinations": [BLOCK, "10.0.0.1/26"], "device": "eth0"}], '"10.0.0.1/26" is not a network'),
}


def test_a_wrong_file_touches_nothing(host: Namespace, run_module: RunModule, write: t.Callable[[t.Any], str]) -> None:
    before = host.state()
    for name, (content, text) in WRONG.items():
        path = write("null" if content is None else content)
        failed = run_module("calico_route", {"src": path, "exclusive": True})
        assert failed.get("failed"), (name, failed)
        assert text in failed["msg"], name
        assert (failed["failure"]["kind"], bool(failed["failure"]["remedy"])) == ("InvalidInput", True), name
    assert host.state() == before


def test_a_file_that_cannot_be_read_is_named(run_module: RunModule, tmp_path: Path) -> None:
    failed = run_module("calico_route", {"src": f"{tmp_path}/routes.json"})
    assert failed["msg"] == f"read routes from {tmp_path}/routes.json: No such file or directory. Correct src"
    assert f"read routes from {tmp_path}: Is a directory" in run_module("calico_route", {"src": str(tmp_path)})["msg"]
    (tmp_path / "routes.json").write_bytes(b"\xff\xfe[")
    assert "it is not JSON" in run_module("calico_route", {"src": f"{tmp_path}/routes.json"})["msg"]


def test_one_of_routes_and_src_is_needed(
    host: Namespace, run_module: RunModule, write: t.Callable[[t.Any], str]
) -> None:
    before = host.state()
    assert run_module("calico_route", {})["msg"] == "one of the following is required: routes, src"
    both = run_module("calico_route", {"routes": [GOOD], "src": write([GOOD])})
    assert both["msg"] == "parameters are mutually exclusive: routes|src"
    assert host.state() == before
