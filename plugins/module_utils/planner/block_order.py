# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a pool a node starts to look for a free block, the same place as Calico's.

Calico (libcalico-go, lib/ipam/ipam_block_reader_writer.go: determineSeed, randomBlockGenerator) hashes the node's name
with FNV-1, seeds Go's math/rand with the hash, draws a big.Int below the number of blocks in the pool, and walks on
from there block by block, past the last one to the first, until all have been seen. Nodes thus seldom compete for a
block.

Go's generator is fixed by the Go 1 compatibility promise (math/rand, rngSource): an additive lagged Fibonacci generator
of lags 607 and 273 over 64-bit words. Each word of its register starts as three numbers of a Lehmer generator, mixed
with a constant, which is the register of the same generator long after its start (see block_order_words).
"""

from __future__ import annotations

import base64
import functools
import itertools
import struct
import typing as t

from ansible_collections.podnet.calico.plugins.module_utils.errors import InvalidInput
from ansible_collections.podnet.calico.plugins.module_utils.planner.block_order_words import WORDS

_LENGTH = 607
_TAP = 273
_WORD_MASK = 2**64 - 1
_LEHMER_FACTOR = 48271
_LEHMER_MODULUS = 2**31 - 1
_LEHMER_SKIPPED = 20  # numbers that are thrown away before the first word
_SEED_FOR_ZERO = 89482311  # zero is a fixed point of the Lehmer generator, so Go replaces it by this number


def start_index(node: str, blocks: int) -> int:
    """Return the index, from 0, of the block that Calico tries first for a node in a pool.

    node: the node's name as the datastore has it; its UTF-8 bytes count. blocks: the number of blocks in the pool, of
    any size (an IPv6 /48 pool has 2^74 of them). Calico tries block (index + k) mod blocks for k = 0, 1, 2 ... next.

    The answer is that of a 64-bit machine. For pools whose blocks are single addresses (blockSize 32 or 128) Calico
    seeds by the clock instead: any start is as good as this one there.

    Raise InvalidInput if there is no block to choose from.
    """
    if blocks < 1:
        raise InvalidInput(
            f"Cannot choose a first block for node {node!r}: the pool holds {blocks} blocks",
            remedy="Give the pool a blockSize that is not shorter than the prefix length of its cidr",
            node=node,
            blocks=blocks,
        )
    return _draw_below(blocks, _draws(fnv1_32(node.encode("utf-8"))))


def fnv1_32(data: bytes) -> int:
    """Return the 32-bit FNV-1 hash of data: multiply first, then xor (FNV-1a does it the other way round).

    Source: the FNV specification by Fowler, Noll and Vo (RFC 9923); Go's hash/fnv.New32.
    """
    digest = 0x811C9DC5
    for byte in data:
        digest = digest * 0x01000193 % 2**32 ^ byte
    return digest


def _draw_below(limit: int, draws: t.Iterator[int]) -> int:
    """Return a number in [0, limit) as Go's big.Int.Rand does.

    As many 64-bit words as the limit has are filled, the lowest word first and its low half before its high half; bits
    above the limit's own length are dropped, and what is still too large is drawn anew.
    """
    bits = limit.bit_length()
    halves = 2 * ((bits + 63) // 64)
    while True:
        number = sum(next(draws) << 32 * half for half in range(halves)) & ((1 << bits) - 1)
        if number < limit:
            return number


def _draws(seed: int) -> t.Iterator[int]:
    """Yield the endless 32-bit numbers of Go's rand.New(rand.NewSource(seed)).Uint32(), for a seed from 0 to 2^63 - 1.

    Output n is output n - 607 plus output n - 273. Where these lie before the first output, they are words of the
    seeded register, which is filled so that output n - 607 stands in slot 334 - n and output n - 273 in slot -n. Only
    the slots that are needed get computed: few draws are ever taken from one seed.
    """
    start = seed % _LEHMER_MODULUS or _SEED_FOR_ZERO
    outputs: list[int] = []
    for n in itertools.count(1):
        oldest = outputs[n - 1 - _LENGTH] if n > _LENGTH else _seeded_word(start, (_LENGTH - _TAP - n) % _LENGTH)
        tapped = outputs[n - 1 - _TAP] if n > _TAP else _seeded_word(start, -n % _LENGTH)
        outputs.append((oldest + tapped) & _WORD_MASK)
        yield outputs[-1] >> 31 & 0xFFFFFFFF


def _seeded_word(start: int, slot: int) -> int:
    """Return the word that Go's generator holds in a slot (0 to 606) of its register right after seeding."""
    x = start * pow(_LEHMER_FACTOR, _LEHMER_SKIPPED + 3 * slot, _LEHMER_MODULUS)
    word = _warm_up_words()[slot]
    for shift in (40, 20, 0):
        x = x * _LEHMER_FACTOR % _LEHMER_MODULUS
        word ^= x << shift
    return word & _WORD_MASK


@functools.cache
def _warm_up_words() -> tuple[int, ...]:
    """Return the 607 constants that Go mixes into every seeded register, by slot."""
    return struct.unpack(f">{_LENGTH}Q", base64.b64decode(WORDS))
