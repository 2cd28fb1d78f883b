# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of a pool's migration."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.podnet.calico.plugins.filter import pools

POOL = {"kind": "IPPool", "metadata": {"name": "old"}}
NODE = {"kind": "Node", "metadata": {"name": "old"}}


@pytest.mark.parametrize(
    ("items", "left"),
    [([{"name": "old"}, {"name": "new"}], [{"name": "new"}]), ([POOL, NODE], [NODE])],
    ids=["rows", "documents"],
)
def test_pools_but_for_one(items: list[dict[str, t.Any]], left: list[dict[str, t.Any]]) -> None:
    assert pools.without_pool(items, "old") == left


def test_usage_in_words() -> None:
    pod = {"address": "10.244.0.5", "device": "cali1", "name": "web-0"}
    usage = {
        "node1": {"migrate_usage": {"pods": [pod, {**pod, "name": ""}], "ranges": []}},
        "node2": {"migrate_usage": {"pods": [], "ranges": ["10.244.0.64/26"]}},
    }
    assert pools.pool_usage(usage, ["node1", "node2"]) == {
        "pods": ["node1: 10.244.0.5 web-0 (cali1)", "node1: 10.244.0.5 (cali1)"],
        "ranges": ["node2: 10.244.0.64/26"],
    }


def test_a_refusal_is_an_error_of_the_filter() -> None:
    with pytest.raises(AnsibleFilterError, match="there is no such IPPool in the datastore"):
        pools.pool_leaving([], "old", [])
