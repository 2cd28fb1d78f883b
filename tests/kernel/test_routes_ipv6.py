# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv6 routes to one destination, of which the kernel keeps several: the wanted one is left, and packets take it."""

from __future__ import annotations

import random
import typing as t

import pytest

from ansible_collections.podnet.calico.tests.kernel.net import Modules, Namespace, Result
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

NewNamespace = t.Callable[[str], Namespace]
BLOCK, POD = "fd00:1::/122", "fd00:1::5"
NEAR, FAR = "2001:db8:1::12", "2001:db8:2::12"  # by eth0 and eth1
SECOND = "2001:db8:1::13"  # by eth0, of the same host

# What may be wanted, how `ip` makes it, and who answers: by eth0, by eth1, by any of them, nobody.
FORMS: dict[str, tuple[Result, str, str]] = {
    "near": ({"gateway": NEAR, "device": "eth0"}, f"{BLOCK} proto {{}} via {NEAR} dev eth0", "eth0"),
    "far": ({"gateway": FAR, "device": "eth1"}, f"{BLOCK} proto {{}} via {FAR} dev eth1", "eth1"),
    "near's second": ({"gateway": SECOND, "device": "eth0"}, f"{BLOCK} proto {{}} via {SECOND} dev eth0", "eth0"),
    "device": ({"device": "eth0"}, f"{BLOCK} proto {{}} dev eth0", "eth0"),
    "other device": ({"device": "eth1"}, f"{BLOCK} proto {{}} dev eth1", "eth1"),
    "blackhole": ({"type": "blackhole"}, f"blackhole {BLOCK} proto {{}}", ""),
    "unreachable": ({"type": "unreachable"}, f"unreachable {BLOCK} proto {{}}", ""),
    "legs": (
        {"next_hops": [{"gateway": NEAR, "device": "eth0"}, {"gateway": SECOND, "device": "eth0"}]},
        f"{BLOCK} proto {{}} nexthop via {NEAR} dev eth0 nexthop via {SECOND} dev eth0",
        "eth0",
    ),
}


class Site:
    """A host and one neighbour by each of two devices; both have the pod's address."""

    def __init__(self, modules: Modules, new_namespace: NewNamespace) -> None:
        self._modules, self.host = modules, new_namespace("host")
        self.others = {device: new_namespace(f"by-{device}") for device in ("eth0", "eth1")}
        for number, (device, other) in enumerate(self.others.items(), 1):
            self.host.ip(f"link add {device} type veth peer name {device} netns {other.name}")
            for place, last in ((self.host, "11"), (other, "12")):
                place.batch(f"link set {device} up", f"addr add 2001:db8:{number}::{last}/64 dev {device} nodad")
            other.batch(f"addr add {POD}/128 dev {device} nodad", f"route add default via 2001:db8:{number}::11")
        self.others["eth0"].ip(f"addr add {SECOND}/64 dev eth0 nodad")

    def route(self, **options: t.Any) -> Result:
        """Run calico_route for the block."""
        return self._modules.run(self.host.path, "calico_route", options)

    def add(self, form: str, verb: str = "append", protocol: str = "98") -> bool:
        """Have `ip` make a route; tell whether the kernel took it."""
        return self.host.run(f"ip -6 route {verb} {FORMS[form][1].format(protocol)}", check=False).returncode == 0

    def shown(self) -> list[Result]:
        """Return the routes to the block."""
        return self.host.show(f"-6 route show {BLOCK}")

    def answerer(self) -> str:
        """Return the device by which packets to the pod are answered, empty for none."""
        ask = f"ping -c 1 -W 1 {POD}"
        before = self._received()
        if self.host.run(ask, check=False).returncode:
            return ""
        return next(device for device, count in self._received().items() if count > before[device])

    def _received(self) -> dict[str, int]:
        """Return how many echo requests each neighbour has had."""
        found = {}
        for device, other in self.others.items():
            lines = other.run("cat /proc/net/snmp6").stdout.splitlines()
            found[device] = next(int(line.split()[1]) for line in lines if line.startswith("Icmp6InEchos "))
        return found

    def is_exactly(self, form: str) -> None:
        """Assert that the block has one route of ours, in a form, and that packets take it."""
        (row,) = self.shown()
        wanted = FORMS[form][0]
        assert row["protocol"] == "98"
        assert row.get("type", "unicast") == wanted.get("type", "unicast")
        if "next_hops" in wanted:
            assert [leg["gateway"] for leg in row["nexthops"]] == [leg["gateway"] for leg in wanted["next_hops"]]
        else:
            assert "nexthops" not in row
            assert row.get("gateway") == wanted.get("gateway")
            assert row["dev"] == wanted.get("device", "lo")
        answers = FORMS[form][2]
        wait_for(lambda: self.answerer() == answers, f"packets go by {answers or 'nothing'}")


@pytest.fixture
def site(modules: Modules, new_namespace: NewNamespace) -> Site:
    return Site(modules, new_namespace)


def converge(site: Site, form: str, *, take_over: bool = False) -> Result:
    """Have the block routed in a form: check mode predicts what the kernel shows, a second run changes nothing."""
    params = {"routes": [{"destination": BLOCK, **FORMS[form][0]}], "take_over": take_over}
    predicted = site._modules.run(site.host.path, "calico_route", params, check=True)
    done = site.route(**params)
    assert not done.get("failed"), done
    assert predicted["changed"] is done["changed"]
    for when in ("before", "after"):  # routes between two legs of another show only when that has gone
        assert set(predicted["diff"][when].splitlines()) <= set(done["diff"][when].splitlines())
    assert site.route(**params)["changed"] is False
    return done


@pytest.mark.parametrize("before", FORMS)
@pytest.mark.parametrize("after", ["near", "device", "blackhole", "legs"])
def test_from_form_to_form(site: Site, before: str, after: str) -> None:
    assert site.add(before, "add")
    converge(site, after)
    site.is_exactly(after)


# Several of ours, as a replacement of an earlier release may have left them.
SEVERAL = {
    "device and gateway": ["device", "near"],
    "gateway and device": ["near", "device"],
    "blackhole in front": ["blackhole", "near"],
    "blackhole and unreachable": ["blackhole", "unreachable"],
    "two devices": ["device", "other device"],
    "legs beside a device": ["device", "legs"],
    "all kinds": ["device", "other device", "legs", "blackhole", "far"],
}


@pytest.mark.parametrize("there", SEVERAL.values(), ids=SEVERAL)
@pytest.mark.parametrize("after", ["near", "device", "blackhole", "legs"])
def test_of_several_one_is_left(site: Site, there: list[str], after: str) -> None:
    for form in there:
        site.add(form)
    converge(site, after)
    site.is_exactly(after)


@pytest.mark.parametrize("verb", ["append", "prepend"])
@pytest.mark.parametrize("after", ["near", "legs", "blackhole"])
def test_a_leg_of_others_in_our_route_goes(site: Site, verb: str, after: str) -> None:
    """It is one route to the kernel, with our protocol number."""
    assert site.add("near", "add")
    assert site.add("far", verb, "static")
    (row,) = site.shown()
    assert (row["protocol"], len(row["nexthops"])) == ("98", 2)
    converge(site, after)
    site.is_exactly(after)


BESIDE = {
    "a gateway beside our device": ("device", "far"),
    "a gateway beside our blackhole": ("blackhole", "far"),
    "a device beside our gateway": ("near", "other device"),
    "a blackhole beside our gateway": ("near", "blackhole"),
}


@pytest.mark.parametrize("verb", ["append", "prepend"])
@pytest.mark.parametrize(("ours", "theirs"), BESIDE.values(), ids=BESIDE)
@pytest.mark.parametrize("changed", [False, True], ids=["as it was", "changed"])
def test_a_route_of_others_beside_ours_is_refused_or_taken_over(
    site: Site, ours: str, theirs: str, verb: str, changed: bool
) -> None:
    assert site.add(ours, "add")
    assert site.add(theirs, verb, "static")
    wanted = "legs" if changed else ours
    before = site.shown()
    for check in (True, False):
        params = {"routes": [{"destination": BLOCK, **FORMS[wanted][0]}]}
        failed = site._modules.run(site.host.path, "calico_route", params, check=check)
        assert failed["msg"].startswith(f"keep route {BLOCK}: one beside it is not ours: {BLOCK} ")
    assert site.shown() == before
    converge(site, wanted, take_over=True)
    site.is_exactly(wanted)


def test_what_is_not_wanted_any_more_goes_and_the_leg_of_others_stays(site: Site) -> None:
    assert site.add("near", "add")
    assert site.add("far", "append", "static")
    assert site.route(routes=[], exclusive=True)["changed"]
    (row,) = site.shown()
    assert (row["protocol"], row["gateway"]) == ("static", FAR)
    assert site.route(routes=[], exclusive=True)["changed"] is False


def test_whatever_is_there(site: Site, seed: int) -> None:
    """Any pile of routes, ours and others', becomes the wanted one if that is allowed."""
    chance = random.Random(seed)  # noqa: S311
    for __ in range(15):
        pile = [(chance.choice([*FORMS]), chance.choice(["append", "prepend"]), chance.choice(["98", "98", "static"]))]
        pile += [
            (chance.choice([*FORMS]), chance.choice(["append", "prepend"]), chance.choice(["98", "static"]))
            for _ in range(3)
        ]
        after = chance.choice([*FORMS])
        for entry in pile:
            site.add(*entry)
        try:
            converge(site, after, take_over=True)
            site.is_exactly(after)
        except AssertionError as error:
            raise AssertionError(f"{pile} -> {after}: {error}") from error
        while site.shown():  # what was between the legs of what is wanted shows only now, and took no packets
            site.host.run(f"ip -6 route flush {BLOCK}")
