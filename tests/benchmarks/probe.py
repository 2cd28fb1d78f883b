# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the group "probe": what a probe of all pairs costs, and whether it says what is so."""

from __future__ import annotations

import typing as t

from ansible_collections.podnet.calico.tests.benchmarks import probe_fabrics, probe_size
from ansible_collections.podnet.calico.tests.benchmarks.case import Case

CASES: t.Final = (
    Case(
        "a probe of ten and of twenty nodes",
        {
            "probe.ten_nodes_s": "< 15",
            "probe.node_cost_20_vs_10": "<= 2.3",
            "probe.packets_per_pair": "<= 100",
        },
        probe_size.measure,
        runs=3,
    ),
    Case(
        "fabrics that are clean and fabrics that are not",
        {"probe.false_alarms": "<= 0", "probe.fabrics_named": f">= {len(probe_fabrics.DEFECTS)}"},
        probe_fabrics.measure,
        runs=1,
    ),
)
