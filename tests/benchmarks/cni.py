# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the group "cni": real containers on the pod network, many at once and under changes of the plugins."""

from __future__ import annotations

from ansible_collections.podnet.calico.tests.benchmarks import cni_containers
from ansible_collections.podnet.calico.tests.benchmarks.case import Case

CASES = (
    Case(
        "containers come and go while plugins are upgraded and downgraded",
        {"cni.failed_during_upgrade": "<= 0", "cni.started_during_upgrade": None},
        cni_containers.upgrades,
        runs=20,
    ),
    Case(
        "200 containers at the same time",
        {"cni.parallel_200_unique": ">= 200", "cni.leaked_after_delete": "<= 0"},
        cni_containers.crowded,
        runs=1,
    ),
)
