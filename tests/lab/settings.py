# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab is called, where it lives, and which shapes of it are allowed."""

from __future__ import annotations

import dataclasses
import os
import re
import typing as t
from pathlib import Path

CHECKOUT: t.Final = Path(__file__).resolve().parents[2]
ENCAPSULATIONS: t.Final = ("VXLAN", "VXLANCrossSubnet", "IPIP", "IPIPCrossSubnet", "None")
KINDS: t.Final = ("netns", "vm")
MAX_NODES: t.Final = 200


class LabError(Exception):
    """The lab cannot do what was asked; the text says what, on what, why, and what to do."""


@dataclasses.dataclass(frozen=True)
class Lab:
    """The names and places of one lab; several may run side by side under different names."""

    name: str

    @property
    def run_dir(self) -> Path:
        """The folder of what lives as long as the lab: a tmpfs."""
        return Path(f"/run/{self.name}-lab")

    @property
    def disks(self) -> Path:
        """The folder of the disks of virtual machines."""
        return Path(f"/var/lib/{self.name}-lab-disks")

    @property
    def files(self) -> Path:
        """The folder of inventories, logs, keys: `.lab` of the checkout, a folder in it for a lab of another name."""
        return CHECKOUT / ".lab" if self.name == "podnet" else CHECKOUT / ".lab" / self.name

    @property
    def fabric(self) -> str:
        """The network namespace that joins the nodes."""
        return f"{self.name}-fabric"

    def namespace(self, node: str) -> str:
        """Return the name under which `ip -n` on this machine finds a node's network."""
        return f"{self.name}-{node}"


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a user asks for: how many nodes of which kind, the encapsulation, and more that has a default.

    `ssh`: whether nodes of kind netns answer SSH, too; `wanted_subnets`: 1 or 2, None for what the encapsulation needs;
    `router`: whether the router between the subnets learns the nodes' blocks by BGP; `fabric`: what the underlay
    behaves like, see fabrics.py.
    """

    nodes: int
    encapsulation: str
    ssh: bool = False
    kind: str = "netns"
    wanted_subnets: int | None = None
    router: bool = False
    fabric: str = "plain"

    @property
    def subnets(self) -> int:
        """CrossSubnet only makes a difference between subnets, so it gets two; everything else gets one."""
        return self.wanted_subnets or (2 if self.encapsulation.endswith("CrossSubnet") else 1)

    def needs_same_nodes_as(self, other: Shape) -> bool:
        """Tell whether both shapes only differ in what can be changed while the nodes run."""
        mine, theirs = (
            dataclasses.replace(shape, wanted_subnets=shape.subnets, encapsulation="", fabric="")
            for shape in (self, other)
        )
        return mine == theirs

    @property
    def names(self) -> list[str]:
        """Return the names of the nodes, node1 first."""
        return [f"node{index}" for index in range(1, self.nodes + 1)]

    def __str__(self) -> str:
        """Describe what cannot be changed while the lab runs."""
        nodes = "1 node" if self.nodes == 1 else f"{self.nodes} nodes"
        subnets = "one subnet" if self.subnets == 1 else "two subnets"
        kind = " of kind vm" if self.kind == "vm" else ""
        return f"{nodes}{kind} in {subnets}{', with SSH' if self.ssh else ''}{', with a BGP router' * self.router}"


def current_lab() -> Lab:
    """Return the lab that PODNET_LAB_NAME names, `podnet` without it. Raises LabError for an unusable name."""
    name = os.environ.get("PODNET_LAB_NAME") or "podnet"
    if not re.fullmatch(r"[a-z][a-z0-9]{0,15}", name):
        raise LabError(
            f"PODNET_LAB_NAME={name} is not allowed: 1 to 16 lower-case letters and digits, the first one a letter."
        )
    return Lab(name)


def parse_nodes(text: str) -> int:
    """Return the number of nodes. Raises LabError for anything but 1 to 200."""
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_NODES:
        raise LabError(f"NODES={text} is not allowed: give a whole number from 1 to {MAX_NODES}.")
    return int(text)


def parse_encapsulation(text: str) -> str:
    """Return the encapsulation. Raises LabError for a name that Calico's operator does not know either."""
    if text not in ENCAPSULATIONS:
        raise LabError(f"ENCAPSULATION={text} is not allowed: give one of {', '.join(ENCAPSULATIONS)}.")
    return text


def parse_kind(text: str) -> str:
    """Return the kind of the nodes. Raises LabError for one that is not known."""
    if text not in KINDS:
        raise LabError(f"KIND={text} is not allowed: give one of {', '.join(KINDS)}.")
    return text


def parse_subnets(text: str) -> int | None:
    """Return the number of subnets, None for an empty text. Raises LabError for anything but 1 and 2."""
    if text not in ("", "1", "2"):
        raise LabError(f"SUBNETS={text} is not allowed: give 1 or 2.")
    return int(text) if text else None
