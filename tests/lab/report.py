# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make lab` shows at its end."""

from __future__ import annotations

import collections
import os
import statistics
import typing as t
from pathlib import Path

from settings import CHECKOUT, Lab, Shape

from playbooks import Pair, Played, Verified

WIDE: t.Final = 10
NOTHING_CHANGED: t.Final = "Nothing had to be changed: the network already was as wanted."


def final_screen(lab: Lab, shape: Shape, deployed: Played, verified: Verified, seconds: float) -> str:
    """Return the text: ping matrix, encapsulation really used, what was changed, time taken, what to do next."""
    parts = [
        ping_matrix(verified.pairs, shape.names),
        encapsulations(verified.pairs, shape.names),
        verified.failure,
        verdict(verified),
        f"{NOTHING_CHANGED if not deployed.changed else f'The deployment made {deployed.changed} changes.'} "
        f"Deploying took {deployed.seconds:.0f} s, everything together {seconds:.0f} s.",
        next_commands(lab, shape.kind),
    ]
    return "\n" + "\n\n".join(part for part in parts if part)


def ping_matrix(pairs: t.Sequence[Pair], names: t.Sequence[str]) -> str:
    """Return loss and mean round trip of every pair as a table, for more than ten nodes one character per pair."""
    if len(names) > WIDE:
        return _compact_matrix(pairs, names)
    cells = {(pair["source"], pair["target"]): _cell(pair) for pair in pairs}
    return _table("Pods, from row to column: lost packets, mean round trip", cells, names)


def encapsulations(pairs: t.Sequence[Pair], names: t.Sequence[str]) -> str:
    """Return how the packets really travelled: one line when all pairs agree, else a table or, for many, counts."""
    used = collections.Counter(pair["encapsulation"] for pair in pairs)
    if len(used) == 1:
        return f"Encapsulation seen on the wire: {next(iter(used))} between all nodes."
    if len(names) > WIDE:
        counts = ", ".join(f"{name} for {number} pairs" for name, number in sorted(used.items()))
        return f"Encapsulation seen on the wire: {counts}." if used else ""
    cells = {(pair["source"], pair["target"]): pair["encapsulation"] for pair in pairs}
    return _table("Encapsulation seen on the wire", cells, names) if used else ""


def verdict(verified: Verified) -> str:
    """Return one sentence: how many of the pairs of nodes had all their packets answered."""
    good = sum(1 for pair in verified.pairs if not pair["loss"])
    total = len(verified.pairs)
    if verified.ok and not total:
        return "OK: one node alone has nothing to ping."
    if verified.ok:
        return (
            f"OK: all {total} pairs answered every packet."
            if good == total
            else f"OK: {good} of {total} pairs lost nothing."
        )
    return (
        f"NOT OK: {total - good} of {total} pairs lost packets."
        if good < total
        else "NOT OK: see above and verify.log."
    )


def next_commands(lab: Lab, kind: str = "netns") -> str:
    """Return the three commands that a newcomer may want next, ready to paste in the checkout."""
    sudo = "sudo " if os.environ.get("SUDO_USER") else ""
    name = "" if lab.name == "podnet" else f"PODNET_LAB_NAME={lab.name} "
    inside = f"{name}.venv/bin/python tests/lab/lab.py exec node1"
    enter = inside if kind == "vm" else f"ip netns exec {lab.namespace('node1')}"
    lines = [
        (
            f"{sudo}.venv/bin/ansible-playbook -i {relative(lab.files / 'inventory.yml')} podnet.calico.verify",
            "ping again",
        ),
        (f"{sudo}{enter} ip route", "the routes of node1"),
        (f"{sudo}{name}make lab-down", "remove the lab"),
    ]
    width = max(len(command) for command, _ in lines)
    return "Next:\n" + "\n".join(f"  {command:<{width}}  # {what}" for command, what in lines)


def relative(path: Path) -> Path:
    """Return a path as it is typed in the checkout."""
    return path.relative_to(CHECKOUT)


def _cell(pair: Pair) -> str:
    loss = f"{pair['loss']:.0%}"
    return f"{loss} {pair['rtt_ms']['avg']:.2f} ms" if pair["received"] else loss


def _table(title: str, cells: t.Mapping[tuple[str, str], str], names: t.Sequence[str]) -> str:
    rows = [["", *names]]
    rows += [[row, *("-" if row == column else cells.get((row, column), "?") for column in names)] for row in names]
    widths = [max(len(row[index]) for row in rows) for index in range(len(names) + 1)]
    lines = [
        "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([f"{title}:", *lines])


def _compact_matrix(pairs: t.Sequence[Pair], names: t.Sequence[str]) -> str:
    marks = {(pair["source"], pair["target"]): _mark(pair) for pair in pairs}
    width = max(len(name) for name in names)
    rows = [
        f"  {row:<{width}} " + "".join("-" if row == column else marks.get((row, column), "?") for column in names)
        for row in names
    ]
    means = [pair["rtt_ms"]["avg"] for pair in pairs if pair["received"]]
    times = (
        f"Mean round trips: {min(means):.2f} to {max(means):.2f} ms, median {statistics.median(means):.2f} ms."
        if means
        else ""
    )
    legend = "Pods, from row to column (columns in the order of the rows): + no loss, 1-9 tenths lost, X no answer:"
    return "\n".join([legend, *rows, *([times] if times else [])])


def _mark(pair: Pair) -> str:
    if not pair["received"]:
        return "X"
    return str(min(9, max(1, round(pair["loss"] * 10)))) if pair["loss"] else "+"
