# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stories of machines do: change modes under pings, audit, cut the power, and see how packets travel."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import typing as t
from pathlib import Path

from pod_pings import Pings, make_pods
from stage import Stage

Losses = t.Dict[t.Tuple[str, str], int]
Pair = t.Tuple[str, str]
OPTIONS: t.Final = ("--kind", "vm", "--subnets", "2", "--router")
# What a node has of the pod network.
SHOWN: t.Final = (
    "ip -o -d link show | grep 'alias podnet.calico tunnel'",
    "ip -o -4 addr",
    "ip -4 route show table all | sort; ip -6 route show proto 98",
    "ip neigh show nud permanent | sort; bridge fdb show | sort",
    "nft -s list ruleset; sysctl net.ipv4.ip_forward",
)
# A device of a pod, or its other end.
POD: t.Final = re.compile(r" veth|\bcali[0-9a-f]{11}\b")
# A ping of pods in IPIP, as tcpdump shows it: the hosts, then the pods.
PACKET: t.Final = re.compile(r"IP (\S+) > (\S+): IP 10\.244\.\S+ > 10\.244\.\S+: ICMP echo (?:request|reply)")


def unpack(stage: Stage, name: str, root: Path) -> None:
    """Put the file tree of packages onto a node, and have its systemd and D-Bus know of it."""
    packed = subprocess.run(["tar", "-C", str(root), "-c", "etc", "usr"], capture_output=True, check=True).stdout
    command = stage.enter(name, "tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", "/")
    subprocess.run(command, input=packed, capture_output=True, check=True)
    stage.ask(name, "systemctl daemon-reload; systemctl reload dbus; ldconfig")


class Machines:
    """A lab of kind vm with a deployed network, in two subnets, and a pod on each node."""

    def __init__(self, name: str, count: int = 3) -> None:
        self.stage = Stage(name)
        self.names = self.stage.names = [f"node{index}" for index in range(1, count + 1)]
        self._pods: dict[str, str] = {}

    def switch(self, mode: str) -> Losses:
        """Change the mode by the playbook while all pairs of pods ping; return what was lost, by pair."""
        with self.pinging() as pings:
            self.change(mode)
        return pings.lost

    @contextlib.contextmanager
    def pinging(self) -> t.Iterator[Pings]:
        """Have all pairs of pods ping each other meanwhile; the pods are made first if there are none."""
        self._pods = self._pods or make_pods(self.stage)
        with Pings(self.stage, self._pods) as pings:
            yield pings
        assert pings.sent > 1000, f"only {pings.sent} packets were sent"

    def change(self, mode: str) -> dict[Pair, str]:
        """Change the mode by the playbook; return what carried the packets by which it proves the new one."""
        self.stage.up(len(self.names), mode, options=OPTIONS)
        return self._carried_in("switch_encapsulation")

    def encapsulations(self) -> dict[Pair, str]:
        """Verify without having deployed; return what carried the packets, by pair of nodes."""
        return self._carried_in("verify")

    def _carried_in(self, playbook: str) -> dict[Pair, str]:
        report = self.stage.lab.files / "verify.json"
        report.unlink(missing_ok=True)
        self.stage.succeed(playbook, "-e", f"calico_verify_report={report}")
        pairs = json.loads(report.read_text())["pairs"]
        assert all(pair["received"] == pair["sent"] > 0 for pair in pairs)
        return {(pair["source"], pair["target"]): pair["encapsulation"] for pair in pairs}

    @contextlib.contextmanager
    def wire(self) -> t.Iterator[set[Pair]]:
        """Look at the wire meanwhile; at the end the set has the hosts that sent each other pings of pods in IPIP."""
        seen, file = set[Pair](), self.stage.lab.files / "capture.txt"
        command = ["ip", "netns", "exec", self.stage.lab.fabric, "tcpdump", "-n", "-l", "-i", "any", "ip proto 4"]
        with (
            file.open("w") as output,
            subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, text=True) as capture,
        ):
            try:
                assert any("listening on" in line for line in capture.stderr or ())
                yield seen
            finally:
                capture.terminate()
        seen.update(PACKET.findall(file.read_text()))

    def shown(self, name: str) -> list[str]:
        """Return what a node has of the pod network, without the numbers of devices and what pods have there."""
        parts = [self.stage.ask(name, command) for command in SHOWN]
        return [
            "\n".join(re.sub(r"^\d+: ", "", line) for line in part.splitlines() if not POD.search(line))
            for part in parts
        ]

    def audit(self, inventory: Path | None = None) -> dict[str, t.Any]:
        """Return the findings of the audit, by where they are; every node has been looked at."""
        report = self.stage.lab.files / "audit.json"
        report.unlink(missing_ok=True)
        self.stage.play("audit", "-e", f"calico_audit_report={report}", inventory=inventory)
        found = json.loads(report.read_text())
        assert found["unseen"] == []
        return {place: findings for place, findings in found["places"].items() if findings}

    def block(self, name: str) -> str:
        """Return the block of a node."""
        return re.findall(r"blackhole (\S+)", self.stage.ask(name, "ip route"))[0]

    def without(self, name: str) -> Path:
        """Return an inventory that has a node no more."""
        return self.stage.changed_inventory(lambda group: group["hosts"].pop(name))

    def check_clean(self, name: str) -> None:
        """Look by other means than reset's for what a node may not have after it."""
        links = {link["ifname"] for link in json.loads(self.stage.ask(name, "ip -j link"))}
        assert {link for link in links if link.startswith(("cali", "vxlan"))} == set()
        assert self.stage.ask(name, "ip route show proto 98; ip route show proto bird") == ""
        files = "find /etc /run/systemd -path '*podnet*' -not -name authorized_keys; nft list tables"
        assert self.stage.ask(name, files) == ""

    def cut_within_deploy(self, name: str, mode: str, task: str) -> None:
        """Deploy another mode, and cut a node's power and end the run when a task has its first result."""
        self.stage.up(len(self.names), mode, options=OPTIONS)
        self.stage.play_until("deploy", task)
        self.stage.do("power-cut", name)
