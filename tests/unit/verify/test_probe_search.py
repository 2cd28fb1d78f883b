# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The search of the largest packet that passes."""

from __future__ import annotations

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.verify.probe_search import Search


def run(search: Search, limit: int) -> list[int]:
    """Search on a path that carries packets up to a limit; return what was sent."""
    sent = []
    while search.size is not None:
        sent.append(search.size)
        search.answer(search.size <= limit)
    return sent


@pytest.mark.parametrize("limit", [110, 111, 576, 1280, 1350, 1399, 1400, 1450, 1499, 1500])
def test_the_largest_size_is_found(limit: int) -> None:
    search = Search(110, 1500)
    run(search, limit)
    assert search.found == limit


def test_a_path_that_carries_all_takes_one_packet() -> None:
    assert run(Search(110, 9000), 9000) == [9000]


def test_a_failing_size_is_tried_twice_and_a_passing_one_once() -> None:
    assert run(Search(110, 1500), 1400)[:4] == [1500, 1500, 1500, 1372]


def test_little_less_than_what_the_device_takes_is_tried_before_the_middle() -> None:
    assert run(Search(110, 1500), 600)[:6] == [1500, 1500, 1500, 1372, 1372, 741]
    assert run(Search(110, 200), 150)[:4] == [200, 200, 200, 155]


def test_one_lost_packet_changes_nothing() -> None:
    search = Search(110, 1500)
    search.answer(False)
    assert search.size == 1500
    search.answer(True)
    assert (search.size, search.found) == (None, 1500)


@pytest.mark.parametrize("most", [0, 110])
def test_nothing_is_tried_above_what_the_device_takes(most: int) -> None:
    assert run(Search(110, most), 9000) == []


def test_a_search_that_is_broken_off_knows_what_passed() -> None:
    search = Search(110, 1500)
    search.answer(False)
    search.answer(False)
    search.answer(False)
    assert search.size is not None
    search.answer(True)
    assert search.found == 1500 - 128
