# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two baselines of a host compared: which differences are ours, and which are somebody else's; pure."""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.baseline.state import OURS
from ansible_collections.podnet.calico.plugins.module_utils.marks import BIRD_PROTOCOL, NFT_TABLE, ROUTE_PROTOCOL

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.podnet.calico.plugins.module_utils.baseline.state import Baseline

_DEVICE = re.compile(r"(?:.* )?dev (?:tunl0|vxlan\.calico|vxlan-v6\.calico|cali[0-9a-f]{11})(?: .*)?")
_LINK = re.compile(r"tunl0|vxlan\.calico|vxlan-v6\.calico|cali[0-9a-f]{11}")
_IDLE = "ipip down "  # the kernel's own tunl0, which is there as soon as its module is
_WORDS = ("podnet-calico", "podnet.calico", ".podnet-moved")
_TABLE = f"table inet {NFT_TABLE}"


class Difference(t.NamedTuple):
    """One thing that is not what it was; before and after: texts, None for what is not there."""

    kind: str
    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """Return it as a person reads it."""
        if self.before is None:
            return f"{self.kind} {self.name}: there now {self.after or ''}".rstrip()
        if self.after is None:
            return f"{self.kind} {self.name}: gone"
        return f"{self.kind} {self.name}: was {self.before}, is {self.after}"


def differences(before: Baseline, after: Baseline, kept: t.Sequence[str] = ()) -> list[Difference]:
    """Return what differs; kept: paths that may be there with all that is in them."""
    found = []
    for kind in sorted({*before, *after}):
        old, new = before.get(kind, {}), after.get(kind, {})
        for name in sorted({*old, *new}):
            each = Difference(kind, name, old.get(name), new.get(name))
            if each.before != each.after and not _expected(each, kept):
                found.append(each)
    return found


def _expected(each: Difference, kept: t.Sequence[str]) -> bool:
    """Tell whether a difference is none: the kernel's idle tunl0 comes and goes, a unit is installed, what is kept."""
    if each.kind == "link" and each.name == "tunl0":
        return all(text is None or _is_idle(text) for text in (each.before, each.after))
    if each.kind == "service" and each.before and each.after:
        return is_on(each.before) == is_on(each.after)
    return each.kind == "file" and any(_is_within(each.name, path) for path in kept)


def _is_idle(link: str) -> bool:
    return link.startswith(_IDLE) and OURS not in link


def _is_within(path: str, folder: str) -> bool:
    """Tell whether a path is a folder, is in it, or leads to it."""
    return os.path.commonpath((path, folder)) in (path, folder)


def is_on(state: str) -> tuple[bool, bool]:
    """Return whether a unit runs and whether it does at boot; state: "active enabled" and the like."""
    active, __, enabled = state.partition(" ")
    return active == "active", enabled == "enabled"


def ours(each: Difference, before: Baseline) -> bool:
    """Tell whether a difference is of our making: it carries a mark of ours, or is what only we make or change.

    A sysctl is not: it has been put back before, or that has failed.
    """
    texts = f"{each.before or ''} {each.after or ''}"
    if each.kind == "link":
        return bool(_LINK.fullmatch(each.name)) or OURS in texts
    if each.kind == "route":
        return _DEVICE.fullmatch(each.name) is not None or (each.before is None and _is_our_route(each.name, before))
    if each.kind in ("address", "neighbour", "fdb"):
        return _DEVICE.fullmatch(each.name) is not None
    if each.kind == "file":
        return OURS in texts or any(word in each.name for word in _WORDS)
    if each.kind == "nft":
        return each.name == _TABLE
    return each.kind == "service"


def _is_our_route(name: str, before: Baseline) -> bool:
    """Tell a new route of ours, or of a BIRD that did not run before."""
    protocol = name.rpartition(" proto ")[2]
    birds = any(route.endswith(f" proto {BIRD_PROTOCOL}") for route in before.get("route", {}))
    return protocol == str(ROUTE_PROTOCOL) or (protocol == str(BIRD_PROTOCOL) and not birds)


def marks(taken: Baseline) -> list[str]:
    """Return what carries a mark of ours already, in words; not what has but a name like ours, as documents have."""
    found = [f"{kind} {name}" for kind in ("link", "file") for name, text in taken[kind].items() if OURS in text]
    found += [f"route {name}" for name in taken["route"] if name.endswith(f" proto {ROUTE_PROTOCOL}")]
    return found + [f"nft {name}" for name in taken["nft"] if name == _TABLE]
