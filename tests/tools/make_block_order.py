# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Derive the 607 warm-up words of Go's math/rand and write plugins/module_utils/planner/block_order_words.py.

Go mixes every seed with the state that its additive generator reaches after 7.8e12 steps from seed 1 (its documentation
of the table: src/math/rand/gen_cooked.go). Stepping there takes hours; this program jumps:

- The generator's outputs follow y[n] = y[n-607] + y[n-273] mod 2^64, so y[n] is a fixed linear combination of any 607
  consecutive outputs, and the coefficients are those of x^n modulo x^607 - x^334 - 1.
- The power needs 43 squarings. A polynomial is packed into one large integer, one slot per coefficient and wide enough
  that sums never carry into the next slot (Kronecker substitution); one integer product is then one squaring.

Run without arguments from anywhere inside the collection; it prints the path that it wrote.
"""

from __future__ import annotations

import base64
import pathlib
import struct
import typing as t

LENGTH = 607
TAP = 273
STEPS = 7_800_000_000_000
LEHMER_FACTOR = 48271
LEHMER_MODULUS = 2**31 - 1
WORD_MASK = 2**64 - 1
SLOT_BYTES = 18  # two 64-bit factors, summed at most 607 times: 138 bits, rounded up to whole bytes
TARGET = pathlib.Path(__file__).resolve().parents[2] / "plugins/module_utils/planner/block_order_words.py"

HEADER = '''\
# Copyright (c) 2026, podnet.calico contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The warm-up state of Go's math/rand, computed by tests/tools/make_block_order.py: run that, do not edit this.

WORDS is base64 of 607 unsigned 64-bit big-endian words, in the order of the generator's register.
"""

from __future__ import annotations

WORDS = """
'''


def first_outputs() -> list[int]:
    """Return the 607 words of seed 1 as if the generator had put them out, oldest first.

    The register's slot (334 - n) mod 607 holds output n, so output -606 (the oldest) lies in slot 333 and each younger
    one a slot lower, with wrap-around.
    """
    x = pow(LEHMER_FACTOR, 20, LEHMER_MODULUS)
    register = []
    for _slot in range(LENGTH):
        word = 0
        for shift in (20, 10, 0):
            x = x * LEHMER_FACTOR % LEHMER_MODULUS
            word ^= x << shift
        register.append(word)
    return [register[slot_of(n)] for n in range(1 - LENGTH, 1)]


def slot_of(output: int) -> int:
    """Return the register's slot that holds output number `output` (1 is the first after seeding)."""
    return (LENGTH - TAP - output) % LENGTH


def pack(coefficients: t.Iterable[int]) -> int:
    """Return one integer with a slot of SLOT_BYTES for each coefficient, the constant term lowest."""
    return int.from_bytes(b"".join(c.to_bytes(SLOT_BYTES, "little") for c in coefficients), "little")


def unpack(packed: int, count: int) -> list[int]:
    """Return the lowest `count` coefficients of a packed polynomial, each modulo 2^64."""
    raw = packed.to_bytes(SLOT_BYTES * count, "little")
    return [int.from_bytes(raw[at : at + 8], "little") for at in range(0, len(raw), SLOT_BYTES)]


def reduce(coefficients: list[int]) -> list[int]:
    """Reduce a polynomial modulo x^607 - x^334 - 1 over Z/2^64, in place, and return its 607 lowest coefficients."""
    for degree in range(len(coefficients) - 1, LENGTH - 1, -1):
        high = coefficients.pop()
        for lower in (degree - LENGTH, degree - TAP):
            coefficients[lower] = (coefficients[lower] + high) & WORD_MASK
    return coefficients


def power_of_x(exponent: int) -> list[int]:
    """Return the 607 coefficients of x^exponent modulo x^607 - x^334 - 1 over Z/2^64, the constant term first."""
    result = [1] + [0] * (LENGTH - 1)
    for bit in bin(exponent)[2:]:
        square = unpack(pack(result) ** 2, 2 * LENGTH - 1)
        result = reduce([0, *square] if bit == "1" else square)
    return result


def state_after(steps: int) -> list[int]:
    """Return the register (607 words modulo 2^64, by slot) that the generator with seed 1 has after `steps` steps."""
    outputs = first_outputs()
    for n in range(LENGTH, 2 * LENGTH - 1):
        outputs.append((outputs[n - LENGTH] + outputs[n - TAP]) & WORD_MASK)
    jump = power_of_x(steps)
    register = [0] * LENGTH
    for age in range(LENGTH):
        word = sum(c * y for c, y in zip(jump, outputs[age:])) & WORD_MASK
        register[slot_of(steps - LENGTH + 1 + age)] = word
    return register


def render(words: t.Sequence[int]) -> str:
    """Return the text of the data file for the register's words."""
    text = base64.b64encode(struct.pack(f">{LENGTH}Q", *words)).decode("ascii")
    lines = [text[at : at + 120] for at in range(0, len(text), 120)]
    return HEADER + "\n".join(lines) + '\n"""\n'


def main() -> None:
    """Write the data file and print its path."""
    TARGET.write_text(render(state_after(STEPS)), encoding="ascii")
    print(TARGET)


if __name__ == "__main__":
    main()
