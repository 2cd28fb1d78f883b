# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many routes in one call of calico_route: how they are counted, and what happens if the kernel refuses some."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.calico.tests.kernel.conftest import RunModule
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result

BLOCK = "10.244.1.0/26"


def many(count: int, first: int = 0) -> list[str]:
    return [f"10.{number // 256}.{number % 256}.0/24" for number in range(first, first + count)]


def test_more_changes_than_a_result_names(host: Namespace, converge: RunModule, run_module: RunModule) -> None:
    converge("calico_route", {"routes": [{"destinations": many(150), "device": "eth0"}]})
    wanted = {"routes": [{"destinations": many(120, 140), "type": "blackhole"}]}
    assert len(run_module("calico_route", wanted, check=True)["surplus"]) == 100
    done = converge("calico_route", {**wanted, "exclusive": True})
    assert done["summary"] == {"create": 110, "replace": 10, "delete": 140}
    assert len(done["changes"]) == 100
    assert [len(done["diff"][side].splitlines()) for side in ("before", "after")] == [150, 120]
    assert set(host.routes()) == set(many(120, 140))


def test_without_diff_the_result_is_short(run_module: RunModule) -> None:
    done = run_module("calico_route", {"routes": [{"destinations": many(3000), "device": "eth0"}]}, diff=False)
    assert "diff" not in done
    assert (done["summary"]["create"], len(done["changes"])) == (3000, 100)


OLD = {"destination": "10.99.0.0/24", "device": "eth0"}
UNREACHABLE = {"gateway": "198.51.100.9", "device": "eth0"}


@pytest.mark.parametrize("count", [2, 400], ids=["few", "many"])
def test_refused_routes_do_not_keep_others_from_being_made(
    host: Namespace, converge: RunModule, run_module: RunModule, count: int
) -> None:
    converge("calico_route", {"routes": [OLD]})
    good, bad = many(300), many(count, 300)
    params = {
        "exclusive": True,
        "routes": [{"destinations": bad, **UNREACHABLE}, {"destinations": good, "device": "eth0"}],
    }
    failed = run_module("calico_route", params)
    assert failed["msg"] == (
        f"create route {bad[0]} via 198.51.100.9 dev eth0: Network is unreachable (Nexthop has invalid gateway) "
        f"(and {count - 1} more of {count + 300}). "
        "The gateway is not reachable through that device; set onlink if it is meant so"
    )
    assert len(failed["failure"]["refused"]) == min(count, 100)
    assert bad[1] in failed["failure"]["refused"][1]
    assert set(host.routes()) == {OLD["destination"], *good}
    params["routes"] = [{"destinations": bad, **UNREACHABLE, "onlink": True}, {"destinations": good, "device": "eth0"}]
    done = converge("calico_route", params)
    assert done["summary"] == {"create": count, "replace": 0, "delete": 1}
    assert set(host.routes()) == {*good, *bad}


def test_a_refused_replacement_keeps_the_old_route(host: Namespace, converge: RunModule, run_module: RunModule) -> None:
    converge("calico_route", {"routes": [OLD, {"destination": BLOCK, "device": "eth0"}]})
    before = host.state()
    wanted: list[Result] = [{"destination": BLOCK, **UNREACHABLE}]
    failed = run_module("calico_route", {"routes": wanted, "exclusive": True})
    assert failed["msg"].startswith(f"replace route {BLOCK} via 198.51.100.9 dev eth0: Network is unreachable")
    assert failed["failure"]["kind"] == "KernelError"
    assert host.state() == before


def test_a_refused_creation_does_not_keep_others_from_being_replaced(
    host: Namespace, converge: RunModule, run_module: RunModule
) -> None:
    converge("calico_route", {"routes": [OLD, {"destination": BLOCK, "device": "eth0"}]})
    wanted: list[Result] = [{"destination": BLOCK, "device": "eth1"}, {"destination": "10.98.0.0/24", **UNREACHABLE}]
    assert run_module("calico_route", {"routes": wanted, "exclusive": True})["failed"] is True
    assert {name: route["dev"] for name, route in host.routes().items()} == {BLOCK: "eth1", OLD["destination"]: "eth0"}


@pytest.mark.parametrize("destination", [BLOCK, "fd00:1::/122"], ids=["IPv4", "IPv6"])
def test_absent_of_routes_on_a_missing_device(host: Namespace, converge: RunModule, destination: str) -> None:
    before = host.state()
    converge("calico_route", {"routes": [{"destination": destination, "type": "blackhole"}]})
    missing = {"destination": destination, "device": "eth9"}
    assert converge("calico_route", {"routes": [missing], "state": "absent"})["summary"]["delete"] == 1
    assert host.state() == before


def test_absent_of_routes_that_went_with_their_device(host: Namespace, converge: RunModule) -> None:
    host.batch("link add gone type bridge", "link set gone up")
    routes = [{"destinations": many(3), "device": "gone"}]
    converge("calico_route", {"routes": routes})
    host.ip("link del gone")
    assert converge("calico_route", {"routes": routes, "state": "absent"})["changed"] is False


def test_check_mode_before_the_device_is_made(host: Namespace, converge: RunModule, run_module: RunModule) -> None:
    converge("calico_route", {"routes": [OLD]})
    before = host.state()
    unborn = {"gateway": "198.51.100.9", "device": "eth9", "onlink": True}
    wanted: list[Result] = [
        {"destination": BLOCK, **unborn},
        {**OLD, "device": "eth8"},
        {"destination": "10.98.0.0/24", "next_hops": [{**unborn, "device": "eth8", "gateway": "198.51.100.8"}, unborn]},
    ]
    predicted = run_module("calico_route", {"routes": wanted}, check=True)
    assert predicted["diff"]["before"] == "route 10.99.0.0/24 dev eth0\n"
    assert predicted["diff"]["after"].splitlines() == [
        f"route {BLOCK} via 198.51.100.9 dev eth9 onlink",
        "route 10.98.0.0/24 nexthop via 198.51.100.8 dev eth8 weight 1 onlink "
        "nexthop via 198.51.100.9 dev eth9 weight 1 onlink",
        "route 10.99.0.0/24 dev eth8",
    ]
    failed = run_module("calico_route", {"routes": wanted})
    assert failed["msg"] == (f"route {BLOCK}: there is no device eth9. Create the device first, or correct its name")
    assert host.state() == before
    host.batch(*(f"link add {name} type bridge" for name in ("eth8", "eth9")), "link set eth8 up", "link set eth9 up")
    done = run_module("calico_route", {"routes": wanted})
    assert (done["changes"], done["diff"]) == (predicted["changes"], predicted["diff"])
