# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words with which a change of modes ends that did not get through."""

from __future__ import annotations

from ansible_collections.podnet.calico.plugins.filter.switching import switch_failure


def test_what_a_failed_switch_says_does_not_depend_on_whose_answer_came_first() -> None:
    hostvars = {f"node{n}": {"switch_changes": ["ipv4: None -> VXLAN"], "switch_moved": n == 2} for n in (1, 2, 10)}
    said = switch_failure({"problems": ["lost"]}, hostvars, [], ["node10", "node2", "node1"])
    assert "In place: node2 moved before, in the new mode; node1, node10 did not move." in said
