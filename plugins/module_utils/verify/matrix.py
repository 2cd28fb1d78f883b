# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ping matrix of all nodes: rows joined, judged, and drawn as a table; pure."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.text import natural

Pair = t.Dict[str, t.Any]

# Beyond this many nodes a table is wider than a terminal: then only what is not well is listed.
TABLE_LIMIT = 12


def join(rows: t.Mapping[str, t.Sequence[Pair]]) -> dict[str, t.Any]:
    """Join the results of each node into pairs, failed pairs and a verdict; rows: source node to its results.

    nothing: why there are no pairs, empty where there are some. That is well for one node alone, and not for several.
    """
    pairs = [{"source": source, **pair} for source in sorted(rows) for pair in rows[source]]
    failed = [pair for pair in pairs if is_lost(pair)]
    unexpected = [pair for pair in pairs if is_unexpected(pair)]
    nothing = "" if pairs else _nothing(sorted(rows, key=natural))
    return {
        "pairs": pairs,
        "failed": [name(pair) for pair in failed],
        "unexpected": [
            f"{name(pair)} travelled as {pair['encapsulation']}, planned was {pair['expected']}" for pair in unexpected
        ],
        "nothing": nothing,
        "ok": (bool(pairs) or len(rows) == 1) and not failed and not unexpected,
        "table": nothing or table(pairs),
    }


def is_lost(row: t.Mapping[str, t.Any]) -> bool:
    """Tell whether a target lost packets; row: a result of calico_ping."""
    return not row["received"] or row["loss"] > 0


def is_unexpected(row: t.Mapping[str, t.Any]) -> bool:
    """Tell whether packets that arrived were seen on the wire otherwise than expected."""
    return bool(row["received"] and row["encapsulation"] and row["encapsulation"] != row["expected"])


def _nothing(nodes: t.Sequence[str]) -> str:
    """Return why nothing was pinged on nodes."""
    if len(nodes) == 1:
        return f"Nothing to ping: {nodes[0]} is alone in this run, so nothing is proven"
    return (
        f"Nothing was pinged: no pool holds a probe address on two of {', '.join(nodes) or 'no nodes'}. "
        "Run podnet.calico.deploy, and see whether the blocks of the nodes are in one pool"
    )


def name(pair: Pair) -> str:
    """Return a pair as a person reads it: who to whom, in which pool, and how much was lost."""
    return f"{pair['source']} -> {pair['target']} (pool {pair['pool']}, {pair['loss']:.0%} lost)"


def table(pairs: t.Sequence[Pair]) -> str:
    """Return one table per pool, nodes by nodes: loss and mean round-trip time, and the encapsulation seen."""
    return "\n\n".join(
        _pool_table(pool, [pair for pair in pairs if pair["pool"] == pool])
        for pool in sorted({p["pool"] for p in pairs})
    )


def _pool_table(pool: str, pairs: t.Sequence[Pair]) -> str:
    nodes = sorted({pair["source"] for pair in pairs} | {pair["target"] for pair in pairs}, key=natural)
    if len(nodes) > TABLE_LIMIT:
        bad = [f"  {name(pair)}" for pair in pairs if pair["loss"]]
        return "\n".join([f"pool {pool}: {len(pairs)} pairs, {len(bad)} with loss", *bad])
    cells = {(pair["source"], pair["target"]): _cell(pair) for pair in pairs}
    width = max([len(node) for node in nodes] + [len(cell) for cell in cells.values()])
    lines = [f"pool {pool}, from row to column: loss, mean round-trip time, encapsulation seen on the wire"]
    lines.append("  ".join([" " * width, *(node.ljust(width) for node in nodes)]).rstrip())
    for source in nodes:
        row = (cells.get((source, target), "-" if source == target else "?") for target in nodes)
        lines.append("  ".join([source.ljust(width), *(cell.ljust(width) for cell in row)]).rstrip())
    return "\n".join(lines)


def _cell(pair: Pair) -> str:
    if not pair["received"]:
        return "no answer"
    kind = {"None": "direct", None: "unseen"}.get(pair["encapsulation"], pair["encapsulation"])
    return f"{pair['loss']:.0%} {pair['rtt_ms']['avg']:.2f} ms {kind}"
