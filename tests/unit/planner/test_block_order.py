# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Block choice against values that Calico's own lines of Go print.

HASHES and INDEXES were printed by go1.26.8 linux/amd64, for every name and count with:

    h := fnv.New32()
    h.Write([]byte(name))
    index := new(big.Int).Rand(rand.New(rand.NewSource(int64(h.Sum32()))), count)
    fmt.Println(h.Sum32(), index)
"""

from __future__ import annotations

import pytest

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner import block_order, block_order_words
from ansible_collections.podnet.calico.plugins.module_utils.planner.block_order import fnv1_32, start_index
from ansible_collections.podnet.calico.tests.tools import make_block_order

LONG_NAME = "n" * 253
NAME_WITH_SEED_ZERO = "node-835384404"  # its hash is 2^31 - 1, which Go's generator cannot take and replaces

HASHES = {
    "node-1": 568266919,
    "node-2": 568266916,
    "node1": 3957252814,
    "worker-0.example.com": 3600338325,
    "ip-192-0-2-17.eu-central-1.compute.internal": 3071373168,
    "a": 84696446,
    "": 2166136261,
    "Node-1": 1519232903,
    "k\xf6ln-1": 219277427,
    "\u30ce\u30fc\u30c9-\U0001f680": 2781614862,
    LONG_NAME: 1815223137,
    "rack 7/host:3": 3703256509,
    NAME_WITH_SEED_ZERO: 2147483647,
}

COUNTS = (1, 2, 3, 4, 64, 1000, 1024, 2**20, 2**32 + 1, 2**58, 2**64 - 1, 2**64, 2**74, 3 * 2**126)

# fmt: off
INDEXES = {
    "node-1": (
        0, 0, 2, 2, 48, 478, 338, 918996,
        2171471316,
        167734761596257748,
        11517535834728865246,
        11517535834728865246,
        6236780179776727651668,
        56263280050827487030719145274588569054,
    ),
    "node-2": (
        0, 0, 0, 0, 5, 988, 988, 369628,
        145073116,
        276723577240530949,
        9131867020024194012,
        5974933049441005535,
        101365587388571952092,
        239048776266662665280457044461925802972,
    ),
    "node1": (
        0, 0, 2, 2, 26, 666, 666, 391834,
        3217423002,
        13588661266676378,
        13848646716548840090,
        13848646716548840090,
        16499189050304013659613,
        55155564758138375584026546742107699866,
    ),
    "worker-0.example.com": (
        0, 0, 0, 0, 20, 532, 54, 278297,
        2339458580,
        197684367583170068,
        13456281670561910292,
        13456281670561910292,
        1000523794771691224762,
        29914912178920837864526720224155749908,
    ),
    "ip-192-0-2-17.eu-central-1.compute.internal": (
        0, 0, 2, 2, 58, 186, 432, 531642,
        811646049,
        33963252650613946,
        17904246574056742074,
        17904246574056742074,
        7986897686416583040186,
        201752525627292425840260258650116332730,
    ),
    "a": (
        0, 1, 2, 3, 38, 294, 294, 739817,
        362059691,
        219405830899583465,
        17583908980014682406,
        5904752426154066752,
        15965299940874213083625,
        69322514455127634788167814789521969446,
    ),
    "": (
        0, 0, 0, 0, 56, 88, 271, 545754,
        39795800,
        286088933880162575,
        17130459029863087192,
        17130459029863087192,
        18197999117648352831759,
        218204061254278757265934264660087749720,
    ),
    "Node-1": (
        0, 0, 0, 3, 11, 11, 29, 646155,
        1563757768,
        142306625112890379,
        3024610386630007819,
        3024610386630007819,
        4274045022649711124509,
        111148654271554382239771262619568692235,
    ),
    "k\xf6ln-1": (
        0, 1, 2, 1, 30, 158, 1022, 736414,
        1424702622,
        23302767395945630,
        8093753299643874462,
        8857180108486258426,
        18861429623439648009978,
        214441147333937506800466775412236267258,
    ),
    "\u30ce\u30fc\u30c9-\U0001f680": (
        0, 0, 0, 3, 28, 739, 284, 639260,
        1559486179,
        203246108933349091,
        8273696641181277923,
        8273696641181277923,
        5247149013574693936867,
        79532813931119927138756850264248147683,
    ),
    LONG_NAME: (
        0, 0, 0, 3, 12, 199, 851, 529235,
        2052764478,
        183825235229295815,
        760285987532719303,
        8949174716410141819,
        15698939492714361144519,
        169701458713753484480791752178833857659,
    ),
    "rack 7/host:3": (
        0, 0, 0, 0, 62, 736, 871, 744150,
        3614719712,
        178052662703133543,
        13029078600802123488,
        13029078600802123488,
        2622498014890976580455,
        251100697970592296624763993007966142176,
    ),
    NAME_WITH_SEED_ZERO: (
        0, 1, 1, 2, 31, 502, 502, 835570,
        3649778518,
        151824694605656566,
        4518808235179270133,
        4518808235179270133,
        577189037750332568054,
        18492250353578189975680295581641105397,
    ),
}
# fmt: on

CASES = [(name, count, index) for name, row in INDEXES.items() for count, index in zip(COUNTS, row)]


def test_every_name_has_an_index_for_every_count() -> None:
    assert {len(row) for row in INDEXES.values()} == {len(COUNTS)}
    assert INDEXES.keys() == HASHES.keys()


@pytest.mark.parametrize(("name", "digest"), HASHES.items(), ids=lambda value: ascii(value)[:24])
def test_hash_equals_go(name: str, digest: int) -> None:
    assert fnv1_32(name.encode()) == digest


def test_hash_takes_any_bytes() -> None:
    assert fnv1_32(bytes(range(256))) == 2391310789


@pytest.mark.parametrize(("name", "count", "index"), CASES, ids=lambda value: ascii(value)[:24])
def test_start_equals_calico(name: str, count: int, index: int) -> None:
    assert start_index(name, count) == index


def test_start_equals_calico_when_a_draw_wraps_the_whole_register() -> None:
    # 1252 numbers per attempt, so both lags reach back to numbers put out before; the last 18 digits that Go prints
    assert start_index("node-1", 2**40000 + 1) % 10**18 == 21963748638689515


@pytest.mark.parametrize("blocks", [0, -1])
def test_pool_without_blocks_is_refused_by_name(blocks: int) -> None:
    with pytest.raises(InvalidInput, match=f"node 'node-1': the pool holds {blocks} blocks.*blockSize"):
        start_index("node-1", blocks)


def test_words_are_derived_from_gos_documented_algorithm() -> None:
    words = make_block_order.state_after(make_block_order.STEPS)

    assert tuple(words) == block_order._warm_up_words()
    assert make_block_order.TARGET.read_text(encoding="ascii") == make_block_order.render(words)


def test_words_file_is_the_one_that_is_imported() -> None:
    assert make_block_order.TARGET.samefile(block_order_words.__file__)


@pytest.mark.parametrize("steps", [0, 1, 333, 334, 606, 607, 608, 5000])
def test_jump_equals_stepping(steps: int) -> None:
    register = make_block_order.state_after(0)
    for n in range(1, steps + 1):
        register[(334 - n) % 607] = (register[(334 - n) % 607] + register[-n % 607]) % 2**64

    assert make_block_order.state_after(steps) == register
