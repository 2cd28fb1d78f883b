# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other implementations of BGP: FRR, GoBGP and ExaBGP, each on a host of its own, as their own tools see them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import typing as t

from ansible_collections.podnet.calico.tests.bgp.site import Site
from ansible_collections.podnet.calico.tests.kernel.waiting import wait_for

Data = t.Dict[str, t.Any]


class Router:
    """A host with a router's program."""

    def __init__(self, site: Site, name: str, **wires: str) -> None:
        self.site, self.name = site, name
        self.host = site.host(name, **wires)
        self.files = site.files / name
        self.files.mkdir()
        self.log = self.files / "log"


class Frr(Router):
    """FRR: zebra, which has the kernel's routes, and bgpd."""

    _DAEMONS = (
        "/usr/lib/frr/zebra -f /run/frr/frr.conf -A 127.0.0.1 --log stdout & "
        "while [ ! -S /run/frr/zserv.api ]; do sleep 0.05; done; "
        "exec /usr/lib/frr/bgpd -f /run/frr/frr.conf -A 127.0.0.1 --log stdout"
    )

    def start(self, config: str) -> None:
        """Start with a configuration for both daemons; each ignores what is the other's."""
        run = self.files / "run" / "frr"
        run.mkdir(parents=True)
        crash = self.files / "crash"
        crash.mkdir()
        for directory in (run, crash):
            shutil.chown(directory, "frr", "frr")
        (run / "frr.conf").write_text(config)
        binds = {"/run": run.parent, "/var/tmp": crash}  # noqa: S108
        self.site.start(self.host, ["sh", "-c", self._DAEMONS], binds, self.log)
        wait_for(lambda: all(map(self._answers, ("bgpd", "zebra"))), f"{self.name}'s start")

    def _answers(self, daemon: str) -> bool:
        command = ["vtysh", "--vty_socket", str(self.files / "run" / "frr"), "-d", daemon, "-c", "show version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def configure(self, *lines: str) -> None:
        """Change the running configuration."""
        self._vtysh("configure terminal", *lines)

    def _vtysh(self, *commands: str) -> str:
        options = [word for command in commands for word in ("-c", command)]
        socket = ["--vty_socket", str(self.files / "run" / "frr")]
        return subprocess.run(["vtysh", *socket, *options], capture_output=True, text=True, check=True).stdout

    def show(self, question: str) -> Data:
        """Return what FRR shows, as data."""
        return t.cast("Data", json.loads(self._vtysh(f"show {question} json")))

    def states(self) -> dict[str, str]:
        """Return the state of each session by the neighbour's address."""
        found = self.show("bgp neighbors")
        return {address: neighbor["bgpState"] for address, neighbor in found.items() if "bgpState" in neighbor}

    def prefixes(self, neighbor: str) -> set[str]:
        """Return the prefixes that a neighbour announces and FRR accepts."""
        family = "ipv6" if ":" in neighbor else "ipv4"
        return set(self.show(f"bgp {family} unicast neighbors {neighbor} routes").get("routes", {}))

    def route(self, prefix: str, neighbor: str) -> Data:
        """Return the path of a prefix that a neighbour announces."""
        family = "ipv6" if ":" in prefix else "ipv4"
        paths = self.show(f"bgp {family} unicast {prefix}")["paths"]
        return t.cast("Data", next(path for path in paths if path["peer"]["peerId"] == neighbor))


class GoBgp(Router):
    """GoBGP: gobgpd, asked by its own command."""

    def start(self, config: str) -> None:
        """Start with a configuration in TOML."""
        path = self.files / "gobgpd.toml"
        path.write_text(config)
        command = ["gobgpd", "-f", str(path), "--api-hosts=127.0.0.1:50051", "--pprof-disable", "-p"]
        self.site.start(self.host, command, {}, self.log)
        wait_for(lambda: self.host.run("gobgp global", check=False).returncode == 0, f"{self.name}'s start")

    def show(self, question: str) -> t.Any:
        """Return what GoBGP shows, as data."""
        text = self.host.run(f"gobgp -j {question}").stdout
        return json.loads(text) if text.strip().startswith(("{", "[")) else {}

    def announce(self, *routes: str) -> None:
        """Announce routes as `gobgp global rib add` takes them; IPv6 ones contain a colon in the prefix."""
        for route in routes:
            family = "ipv6" if ":" in route.split()[0] else "ipv4"
            done = self.host.run(f"gobgp global rib -a {family} add {route}", check=False)
            assert done.returncode == 0, done.stdout + done.stderr

    def neighbor(self, address: str) -> Data:
        """Return a session."""
        return t.cast("Data", self.show(f"neighbor {address}"))

    def established(self, address: str) -> bool:
        """Tell whether a session is up; 6 is GoBGP's number for Established."""
        return bool(self.neighbor(address)["state"].get("session_state") == 6)

    def routes(self, neighbor: str) -> dict[str, list[Data]]:
        """Return the attributes of what a neighbour announces, by prefix."""
        family = "ipv6" if ":" in neighbor else "ipv4"
        found = self.show(f"neighbor {neighbor} adj-in -a {family}")
        return {prefix: paths[0]["attrs"] for prefix, paths in found.items()}


class ExaBgp(Router):
    """ExaBGP, which says whatever it is told to say."""

    def start(self, config: str) -> None:
        """Start with the neighbours of a configuration; `%(process)s` in it is where it takes orders from."""
        self._orders = self.files / "orders"
        os.mkfifo(self._orders)
        process = f"process orders {{ run /bin/cat {self._orders}; encoder text; }}\n"
        path = self.files / "exabgp.conf"
        path.write_text(process + config)
        quiet = ["exabgp.api.cli=false", "exabgp.daemon.user=root", "exabgp.api.ack=false", "exabgp.log.level=INFO"]
        self.site.start(self.host, ["env", *quiet, "exabgp", str(path)], {}, self.log)
        self._pipe = os.fdopen(os.open(self._orders, os.O_RDWR), "w")  # does not wait for the other end

    def say(self, *orders: str) -> None:
        """Announce or withdraw, in ExaBGP's own words."""
        self._pipe.write("".join(f"{order}\n" for order in orders))
        self._pipe.flush()

    def stop(self) -> None:
        """Close the pipe of orders; the site ends the program."""
        self._pipe.close()
