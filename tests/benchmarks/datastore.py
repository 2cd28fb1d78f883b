# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of the group "datastore": what checking many documents against each other costs."""

from __future__ import annotations

import ipaddress

from ansible_collections.podnet.calico.plugins.module_utils.datastore.apply import put
from ansible_collections.podnet.calico.tests.benchmarks.case import Case
from ansible_collections.podnet.calico.tests.benchmarks.figures import Sample, of_values
from ansible_collections.podnet.calico.tests.benchmarks.measure import Bench, Cost, cpu, forked
from ansible_collections.podnet.calico.tests.benchmarks.scene import expect


def new_pools(bench: Bench) -> dict[str, Sample]:
    """Put 5,000 new pools, validated and checked for overlaps, into an empty snapshot in memory; CPU."""
    number = bench.size(5000)
    ranges = list(ipaddress.ip_network("10.0.0.0/8").subnets(new_prefix=24))[:number]
    documents = [
        {
            "apiVersion": "projectcalico.org/v3",
            "kind": "IPPool",
            "metadata": {"name": f"pool-{index}"},
            "spec": {"cidr": str(network)},
        }
        for index, network in enumerate(ranges)
    ]

    def side() -> Cost:
        cost = forked(lambda: len(put({}, documents)))
        expect(cost.answer, number, "stored pools")
        return cost

    costs = bench.interleave({"put": side})
    return {"datastore.put_5000_pools_s": of_values(cpu(costs["put"]), "s")}


CASES = (Case("5,000 new pools", {"datastore.put_5000_pools_s": "< 2"}, new_pools),)
