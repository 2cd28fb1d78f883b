# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is asked to be, at random, and what `ip` and `bridge` then have to show; runs that are killed on the way.

A state is {"routes": …, "endpoints": …, "tunnels": …}, each by what identifies its objects.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import random
import select
import signal
import sys
import threading
import time
import traceback
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import Conflict
from ansible_collections.podnet.calico.plugins.module_utils.kernel import endpoints, routes, tunnel_devices, tunnels
from ansible_collections.podnet.calico.plugins.module_utils.kernel.endpoint_entries import interface_name
from ansible_collections.podnet.calico.tests.kernel.net import Namespace, Result

__all__ = ["tunnel_devices"]  # imported so that children have it without reading it from disk

State = t.Dict[str, t.Dict[t.Any, Result]]
LIBC = ctypes.CDLL(None, use_errno=True)
DONE, FAILED, REFUSED = 0, 1, 2
EFFECTS = {"close", "makedirs", "mkdir", "open", "rmdir", "send", "sendmsg", "sendto", "symlink", "unlink", "write"}
DESTINATIONS = [f"10.245.{n}.0/26" for n in range(40)] + [f"fd00:5:{n:x}::/64" for n in range(1, 11)]
PEERS = [
    {"address": f"10.246.{n}.0", "mac": f"66:00:00:00:01:{n:02x}", "underlay": f"192.0.2.{100 + n}"} for n in range(10)
]
VXLAN: Result = {
    "kind": "vxlan",
    "name": "vxlan.calico",
    "local": "192.0.2.11",
    "parent": "eth0",
    "mac": "66:00:00:00:00:01",
    "port": 4789,
}
SLOTS = 6
POOL = [f"10.244.0.{n}" for n in range(10, 22)]


class Job(t.NamedTuple):
    """One call of an ensure function: what it is about, the list, state and exclusive."""

    kind: str
    listed: list[Result]
    state: str = "present"
    exclusive: bool = False

    def run(self) -> int:
        """Do it here, and return how many changes it took."""
        options: Result = {"state": self.state, "exclusive": self.exclusive, "check_mode": False}
        if self.kind == "routes":
            return len(routes.ensure(self.listed, **options).changes)
        if self.kind == "endpoints":
            return len(endpoints.ensure(self.listed, **options).changes)
        return len(tunnels.ensure(self.listed, **options).changes)


class Chance:
    """Random wanted states; names: what the names of pods and their namespaces start with."""

    def __init__(self, seed: int, names: str, stays: Result) -> None:
        self.random = random.Random(seed)  # noqa: S311 (nothing is kept secret)
        self._names = names
        self._stays = stays

    def job(self, state: State) -> Job:
        """Return a job of any kind that has no conflict with a state."""
        kind = self.random.choice(("routes", "endpoints", "endpoints", "tunnels"))
        mode = self.random.choice(("exclusive", "exclusive", "present", "absent"))
        if mode == "exclusive":
            return self.exclusive(kind)
        if mode == "present":
            return Job(kind, list(self._some(kind, state).values()))
        some = [entry for entry in state[kind].values() if entry is not self._stays and self.random.random() < 0.5]
        return Job(kind, some, "absent")

    def exclusive(self, kind: str) -> Job:
        """Return a job that asks for a state of its own and nothing else."""
        return Job(kind, list(self._some(kind, {"endpoints": {}}).values()), exclusive=True)

    def _some(self, kind: str, state: State) -> dict[t.Any, Result]:
        if kind == "routes":
            some = self.random.sample(DESTINATIONS, self.random.randrange(len(DESTINATIONS)))
            return {entry["destination"]: entry for entry in map(self._route, some)}
        if kind == "tunnels":
            return {VXLAN["name"]: self._tunnel()} if self.random.random() < 0.8 else {}
        return self._endpoints(state["endpoints"])

    def _route(self, destination: str) -> Result:
        near, far = ("2001:db8::12", "2001:db8:9::9") if ":" in destination else ("192.0.2.12", "198.51.100.9")
        ways: list[Result] = [
            {"type": "blackhole"},
            {"gateway": near, "device": "eth0"},
            {"gateway": far, "device": "eth1", "onlink": True},
            {"device": "eth1"},
        ]
        return {"destination": destination, **self.random.choice(ways)}

    def _tunnel(self) -> Result:
        return {
            **VXLAN,
            "vni": self.random.choice((4096, 4096, 4097)),
            "mtu": self.random.choice((1450, 1400)),
            "address": self.random.choice(("10.246.255.1/32", "10.246.255.2/32")),
            "peers": self.random.sample(PEERS, self.random.randrange(len(PEERS) + 1)),
        }

    def _endpoints(self, present: dict[t.Any, Result]) -> dict[t.Any, Result]:
        """Return endpoints whose addresses nothing else in a state has; slots 4 and 5 share a namespace."""
        slots = {
            interface_name(f"{self._names}.{n}"): n for n in self.random.sample(range(SLOTS), self.random.randrange(7))
        }
        kept = [entry for name, entry in present.items() if name not in slots]
        free = [address for address in POOL if not any(address in entry["addresses"] for entry in kept)]
        self.random.shuffle(free)
        found = {name: self._endpoint(n, free) for name, n in slots.items()}
        found[interface_name(self._stays["name"])] = self._stays
        return found

    def _endpoint(self, slot: int, free: list[str]) -> Result:
        addresses = [f"fd00:4::{slot}"] if slot == 5 else [free.pop()]
        if slot < 4 and self.random.random() < 0.5:
            addresses.append(f"fd00:4:{slot + 1}::{self.random.randrange(1, 3)}")
        return {
            "name": f"{self._names}.{slot}",
            "netns": f"{self._names}-{min(slot, 4)}",
            "addresses": addresses,
            "mtu": self.random.choice((1450, 1400)),
            "interface": "eth5" if slot == 5 else self.random.choice(("eth0", "eth0", "net1")),
            **({"mac": f"02:00:00:00:00:0{slot}"} if self.random.random() < 0.5 else {}),
        }


def after(state: State, job: Job) -> State:
    """Return what a job makes of a state."""
    identify = {
        "routes": lambda entry: entry["destination"],
        "endpoints": lambda entry: interface_name(entry["name"]),
        "tunnels": lambda entry: entry["name"],
    }[job.kind]
    listed = {identify(entry): entry for entry in job.listed}
    if job.state == "absent":
        found = {name: entry for name, entry in state[job.kind].items() if name not in listed}
    else:
        found = listed if job.exclusive else {**state[job.kind], **listed}
    return {**state, job.kind: found}


class Run:
    """A process of its own on a host that does some work; it waits until it is told to start."""

    def __init__(self, host: Namespace, work: t.Callable[[], t.Any]) -> None:
        mine, theirs = os.pipe(), os.pipe()
        self._output, self._start = mine[0], theirs[1]
        self._pid = os.fork()
        if not self._pid:
            os.close(mine[0])
            os.close(theirs[1])
            _be_child(host, work, mine[1], theirs[0])
        os.close(mine[1])
        os.close(theirs[0])
        os.read(self._output, 1)  # it is on the host and ready

    def start(self) -> None:
        """Let it start."""
        os.write(self._start, b"!")

    def kill(self, delay: float) -> tuple[int | None, t.Any]:
        """Start, kill it and what it has started after so many seconds; return as finish, None if it was in time."""
        self.start()
        select.select([], [], [], delay)
        os.killpg(self._pid, signal.SIGKILL)
        return self.finish()

    def finish(self) -> tuple[int | None, t.Any]:
        """Wait for its end; return DONE with what the work returned, REFUSED or FAILED with text, None if killed."""
        with open(self._output, "rb") as file:
            output = file.read()
        os.close(self._start)
        __, status = os.waitpid(self._pid, 0)
        if os.WIFSIGNALED(status):
            return None, None
        return os.WEXITSTATUS(status), json.loads(output)


def _be_child(host: Namespace, work: t.Callable[[], t.Any], output: int, start: int) -> t.NoReturn:
    status, answer = FAILED, ""
    try:
        os.setpgid(0, 0)
        descriptor = os.open(host.path, os.O_RDONLY)
        assert LIBC.setns(descriptor, 0) == 0
        os.write(output, b" ")
        os.read(start, 1)
        status, answer = DONE, work()
    except Conflict as error:
        status, answer = REFUSED, str(error)
    except BaseException:
        answer = traceback.format_exc()
    finally:
        os.write(output, json.dumps(answer).encode())
        os._exit(status)


def killed_at(place: int, work: t.Callable[[], t.Any]) -> t.Callable[[], t.Any]:
    """Return work during which its process is killed just before or after a call that the kernel sees, by number."""
    calls = itertools.count(1)

    def watch(__: t.Any, event: str, function: t.Any) -> None:
        seen = event in ("c_call", "c_return") and function.__name__ in EFFECTS
        if seen and next(calls) == place:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched() -> t.Any:
        threading.setprofile(watch)
        sys.setprofile(watch)
        try:
            return work()
        finally:
            sys.setprofile(None)

    return watched


def do(host: Namespace, work: t.Callable[[], t.Any]) -> tuple[t.Any, float]:
    """Do some work in a process of its own on a host; return what it returned, and how many seconds it took."""
    run = Run(host, work)
    begin = time.monotonic()
    run.start()
    status, answer = run.finish()
    assert status == DONE, answer
    return answer, time.monotonic() - begin


def shown(host: Namespace, state: State) -> State:
    """Return the state that `ip` and `bridge` show, in the words of expected; state: where to look for pods."""
    links = {link["ifname"]: link for link in host.show("link show") if link.get("linkinfo") and _is_looked_at(link)}
    return {
        "routes": {
            _destination(route): _shown_route(route) for version in (4, 6) for route in _shown_routes(host, version)
        },
        "endpoints": {
            name: {**_shown_link(link), **_shown_pod(state["endpoints"].get(name), link["link_index"])}
            for name, link in links.items()
            if link["linkinfo"]["info_kind"] == "veth"
        },
        "tunnels": {
            name: {**_shown_link(link), **_shown_vxlan(host, link)}
            for name, link in links.items()
            if link["linkinfo"]["info_kind"] == "vxlan"
        },
    }


def _is_looked_at(link: Result) -> bool:
    return link["ifname"] not in ("eth0", "eth1") and link["linkinfo"].get("info_kind") in ("veth", "vxlan")


def _shown_routes(host: Namespace, version: int) -> list[Result]:
    return host.show(f"-{version} route show table all proto 98")


def _destination(route: Result) -> str:
    length = "" if "/" in route["dst"] else "/128" if ":" in route["dst"] else "/32"
    return f"{route['dst']}{length}"


def _shown_route(route: Result) -> Result:
    kind = route.get("type", "unicast")
    device = route.get("dev") if kind == "unicast" else None
    return {
        "type": kind,
        "gateway": route.get("gateway"),
        "device": device,
        "onlink": "onlink" in route.get("flags", []),
    }


def _shown_link(link: Result) -> Result:
    wanted = {"mtu": link["mtu"], "mac": link["address"], "alias": link.get("ifalias"), "up": "UP" in link["flags"]}
    return {**wanted, "group": link.get("group")}


def _addresses(rows: list[Result]) -> list[str]:
    found = [entry for row in rows for entry in row.get("addr_info", []) if entry.get("scope") != "link"]
    return sorted(f"{entry['local']}/{entry['prefixlen']}" for entry in found)


def _shown_pod(entry: Result | None, index: int) -> Result:
    if entry is None:
        return {"pod": "nobody wants it"}
    rows = Namespace(entry["netns"]).show("addr show")
    end = [row for row in rows if row.get("ifindex") == index]
    if not end:
        return {"pod": "not where it should be"}
    mac = {"mac in pod": end[0]["address"]} if "mac" in entry else {}
    up = [row["ifname"] for row in rows if "UP" in row["flags"]]
    return {
        "interface": end[0]["ifname"],
        "mtu in pod": end[0]["mtu"],
        "addresses": _addresses(end),
        "all up": {"lo", end[0]["ifname"]} <= set(up),
        **mac,
    }


def _shown_vxlan(host: Namespace, link: Result) -> Result:
    name, data = link["ifname"], link["linkinfo"]["info_data"]
    return {
        "addresses": _addresses(host.show(f"addr show dev {name}")),
        "neighbours": {row["dst"]: row["lladdr"] for row in host.show(f"neigh show dev {name} nud permanent")},
        "fdb": host.fdb(name),
        **{key: data.get(key) for key in ("id", "link", "local", "port", "learning")},
    }


def expected(state: State) -> State:
    """Return what shown has to return of a host in a state."""
    result: State = {"routes": {}, "endpoints": {}, "tunnels": {}}
    for name, entry in state["routes"].items():
        way: Result = {"type": "unicast", "gateway": None, "device": None, "onlink": False}
        result["routes"][name] = {**way, **{key: value for key, value in entry.items() if key in way}}
    for name, entry in state["endpoints"].items():
        addresses = [f"{address}/{128 if ':' in address else 32}" for address in entry["addresses"]]
        way = {"type": "unicast", "gateway": None, "device": name, "onlink": False}
        result["routes"].update(dict.fromkeys(addresses, way))
        alias = f"podnet.calico endpoint {entry['name']} {entry['netns']}"
        link = {"mtu": entry["mtu"], "mac": "ee:ee:ee:ee:ee:ee", "alias": alias, "up": True, "group": "default"}
        pod = {"interface": entry["interface"], "mtu in pod": entry["mtu"], "addresses": sorted(addresses)}
        mac = {"mac in pod": entry["mac"]} if "mac" in entry else {}
        result["endpoints"][name] = {**link, **pod, "all up": True, **mac}
    for name, entry in state["tunnels"].items():
        result["tunnels"][name] = {
            "mtu": entry["mtu"],
            "mac": entry["mac"],
            "alias": "podnet.calico tunnel",
            "up": True,
            "group": "default",
            "addresses": [entry["address"]],
            "id": entry["vni"],
            "link": entry["parent"],
            "local": entry["local"],
            "port": entry["port"],
            "learning": False,
            "neighbours": {peer["address"]: peer["mac"] for peer in entry["peers"]},
            "fdb": {peer["mac"]: peer["underlay"] for peer in entry["peers"]},
        }
    return result


def named(directory: str, names: str) -> set[str]:
    """Return the files in a directory whose names start so."""
    with contextlib.suppress(FileNotFoundError):
        return {name for name in os.listdir(directory) if name.startswith(names)}
    return set()
