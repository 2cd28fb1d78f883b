# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the group "kernel": their ids, which stay as they are, and their goals."""

from __future__ import annotations

import functools

from ansible_collections.podnet.calico.tests.benchmarks import kernel_endpoints, kernel_plays, kernel_routes
from ansible_collections.podnet.calico.tests.benchmarks.case import Case

HALF = "<= 0.5"

CASES = (
    Case(
        "add 10,000 routes",
        {"kernel.add_10k_vs_ip_batch": HALF, "kernel.add_10k_process_vs_ip_batch": None},
        functools.partial(kernel_routes.add, number=10_000, label="10k", process=True),
        runs=9,
    ),
    Case(
        "add 100,000 routes",
        {"kernel.add_100k_vs_ip_batch": HALF},
        functools.partial(kernel_routes.add, number=100_000, label="100k"),
    ),
    Case(
        "10,000 unchanged routes",
        {"kernel.noop_10k_vs_ip_json": "<= 0.35"},
        functools.partial(kernel_routes.unchanged, name="kernel.noop_10k_vs_ip_json", number=10_000),
        runs=15,
    ),
    Case(
        "1,000 unchanged routes beside 100,000 foreign ones",
        {"kernel.noop_beside_100k_foreign": "<= 1.25"},
        functools.partial(
            kernel_routes.unchanged, name="kernel.noop_beside_100k_foreign", number=1_000, foreign=100_000
        ),
        runs=15,
    ),
    Case(
        "memory for 100,000 routes",
        {"kernel.rss_100k_mib": "< 300"},
        functools.partial(kernel_routes.memory, number=100_000),
    ),
    Case(
        "tasks with 10,000 routes",
        {
            "kernel.task_src_vs_command": "<= 1.2",
            "kernel.task_src_vs_command_nochange": None,
            "kernel.task_grouped_vs_command": "<= 1.8",
            "kernel.task_grouped_vs_command_nochange": None,
        },
        functools.partial(kernel_plays.tasks, number=10_000),
    ),
    Case(
        "200 endpoints",
        {
            "kernel.veth_200_vs_ip_batch": HALF,
            "kernel.veth_200_vs_ip_batch_wall": None,
            "kernel.veth_200_vs_ip_batch_cpu": None,
        },
        functools.partial(kernel_endpoints.made, number=200, label="200"),
    ),
    Case(
        "1,000 endpoints",
        {
            "kernel.veth_1k_vs_ip_batch": HALF,
            "kernel.veth_1k_vs_ip_batch_wall": None,
            "kernel.veth_1k_vs_ip_batch_cpu": None,
        },
        functools.partial(kernel_endpoints.made, number=1_000, label="1k"),
    ),
    Case(
        "200 endpoints against CNI",
        {"kernel.veth_200_vs_cni": "<= 0.2"},
        functools.partial(kernel_endpoints.against_cni, number=200),
    ),
    Case(
        "200 unchanged endpoints",
        {"kernel.veth_verify_vs_ip": "<= 0.1"},
        functools.partial(kernel_endpoints.unchanged, number=200),
        runs=41,
    ),
    Case(
        "module calls with nothing to do",
        {
            "kernel.module_overhead": "<= 1.15",
            "kernel.module_overhead_nat": None,
            "kernel.module_overhead_route": None,
            "kernel.module_overhead_tunnel": None,
            "kernel.module_overhead_veth": None,
        },
        kernel_plays.overhead,
    ),
)
