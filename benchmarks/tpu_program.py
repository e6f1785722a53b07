# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Reads what a step of a compiled TPU program moves, from its text.

XLA's own sum of "bytes accessed" counts what is read from and written to the
registers' fast memory (VMEM) as well, and all of an array of which a few rows
are gathered. Here main memory (HBM) is counted alone, arrays with the padding
of their tiles, and gathered or updated rows as they are. The loop over steps is
the one loop of the entry; loops inside it count as often as they turn.
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Moved", "moved_in_a_step"]

_BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s16": 2, "u16": 2}
_BYTES |= {"f32": 4, "s32": 4, "u32": 4, "f64": 8, "s64": 8, "u64": 8}
_ARRAY = re.compile(rf"({'|'.join(_BYTES)})\[([\d,]*)\](?:\{{([^}}]*)\}})?")
_FAST_MEMORY = re.compile(r"S\([1-9]")
# They name memory, or wait for it.
_FREE = {
    *("parameter", "tuple", "get-tuple-element", "bitcast", "constant"),
    *("after-all", "opt-barrier", "copy-done", "slice-done", "async-done"),
    *("all-reduce-done", "all-gather-done", "collective-permute-done"),
}
_COLLECTIVE = re.compile(
    r"(all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)"
    r"(-start)?$"
)
_ROWS = {"gather", "dynamic-slice"}


class Moved(NamedTuple):
    """What a step moves on one chip.

    Attributes:
        hbm: bytes read from and written to main memory.
        copied: bytes of arrays that are copied from one layout to another, in
            whichever memory.
        collectives: calls that wait for other chips.
        collective_bytes: what they give.
        cycles: of the chip, as the compiler reckons those operations that it
            says them of.
    """

    hbm: int = 0
    copied: int = 0
    collectives: int = 0
    collective_bytes: int = 0
    cycles: int = 0

    def plus(self, other: "Moved", times: int = 1) -> "Moved":
        """Adds another, several times."""
        return Moved(*(a + times * b for a, b in zip(self, other, strict=True)))


class _Array(NamedTuple):
    n_bytes: int
    is_fast: bool

    @property
    def hbm(self) -> int:
        return 0 if self.is_fast else self.n_bytes


class _Instruction(NamedTuple):
    name: str
    arrays: list[_Array]
    operation: str
    operands: list[str]
    attributes: str


_Computation = dict[str, _Instruction]


def moved_in_a_step(text: str) -> Moved:
    """Sums up the loop over steps.

    Args:
        text: of the optimised program, ``Compiled.as_text()``.

    Returns:
        What one turn of it moves.
    """
    program, entry = _parsed(text)
    loops = [i for i in program[entry].values() if i.operation == "while"]
    if len(loops) != 1:
        raise ValueError(
            f"expected one loop, over steps, in the entry {entry!r}, got "
            f"{len(loops)}: compile a dispatch of several steps"
        )
    return _of(program, _called(loops[0], "body"))


def _of(program: dict[str, _Computation], name: str) -> Moved:
    """What one run of a computation moves."""
    total = Moved()
    for one in program[name].values():
        if one.operation in _FREE:
            continue
        if one.operation == "while":
            turns = re.search(r"known_trip_count[^\d]*(\d+)", one.attributes)
            body = _of(program, _called(one, "body"))
            total = total.plus(body, int(turns[1]) if turns else 1)
            continue
        if one.operation == "call":
            total = total.plus(_of(program, _called(one, "to_apply")))
            continue
        cycles = re.search(r'estimated_cycles":"(\d+)"', one.attributes)
        is_collective = _COLLECTIVE.match(one.operation)
        given = sum(a.n_bytes for a in _results(one))
        total = total.plus(
            Moved(
                hbm=_hbm(program, program[name], one),
                copied=given if one.operation == "copy" else 0,
                collectives=bool(is_collective),
                collective_bytes=given if is_collective else 0,
                cycles=int(cycles[1]) if cycles else 0,
            )
        )
    return total


def _results(one: _Instruction) -> list[_Array]:
    """What an operation gives; of one that starts, where it will be."""
    if one.operation == "copy-start":
        return one.arrays[:1]  # then its source, and a flag
    if one.operation in ("slice-start", "async-start"):
        return one.arrays[-2:-1]
    if one.operation.endswith("-start"):
        return one.arrays[len(one.operands) :][: len(one.operands)]
    return one.arrays


def _hbm(
    program: dict[str, _Computation], among: _Computation, one: _Instruction
) -> int:
    given = _results(one)
    sources = [among[name].arrays for name in one.operands if name in among]
    if one.operation.endswith("-start"):  # a part of the source may be enough
        is_fast = all(a.is_fast for source in sources for a in source)
        moved = sum(a.n_bytes for a in given)
        return sum(a.hbm for a in given) + (0 if is_fast else moved)
    if one.operation != "fusion":
        if one.operation in _ROWS:
            return 2 * sum(a.hbm for a in given)
        if one.operation == "dynamic-update-slice":
            return 2 * sum(a.hbm for a in sources[1])
        read = sum(a.hbm for source in sources for a in source)
        return read + sum(a.hbm for a in given)
    inside = program[_called(one, "calls")]
    total = 0
    for i, source in enumerate(sources):
        if any(a.hbm for a in source):
            all_of_it = sum(a.hbm for a in source)
            total += min(all_of_it, _read(program, inside, i, all_of_it))
    (*_, root) = inside.values()
    roots = [root] * len(given)  # of several arrays it is a fusion, too
    if root.operation == "tuple":
        roots = [inside[name] for name in root.operands]
    for array, made in zip(given, roots, strict=True):
        if made.operation == "dynamic-update-slice":
            update = inside[made.operands[1]].arrays
            total += min(array.hbm, sum(a.n_bytes for a in update))
        else:
            total += array.hbm
    return total


def _read(
    program: dict[str, _Computation],
    inside: _Computation,
    index: int,
    all_of_it: int,
) -> int:
    """Bytes that a fused computation reads of its argument of that index."""
    name = next(
        one.name
        for one in inside.values()
        if one.operation == "parameter"
        and one.attributes.startswith(f"{index})")
    )
    total = 0
    for one in inside.values():
        if name not in one.operands:
            continue
        if one.operation in _ROWS and one.operands[0] == name:
            total += sum(a.n_bytes for a in one.arrays)
        elif (
            one.operation == "dynamic-update-slice" and one.operands[0] == name
        ):
            continue
        elif one.operation == "fusion":
            total += _read(
                program,
                program[_called(one, "calls")],
                one.operands.index(name),
                all_of_it,
            )
        else:
            return all_of_it
    return total


def _called(one: _Instruction, role: str) -> str:
    found = re.search(rf"{role}=%?([\w.\-]+)", one.attributes)
    if found is None:
        raise ValueError(f"expected {role}= of {one.name}: {one.attributes}")
    return found[1]


def _parsed(text: str) -> tuple[dict[str, _Computation], str]:
    """The computations of a program by name, and the name of its entry."""
    program: dict[str, _Computation] = {}
    entry, current = "", None
    for line in re.sub(r"/\*.*?\*/", "", text).splitlines():
        head = re.match(r"(ENTRY )?%?([\w.\-]+) \(.*\) -> .*\{$", line)
        if head:
            current = program.setdefault(head[2], {})
            entry = head[2] if head[1] else entry
        elif line.startswith("}"):
            current = None
        elif current is not None and " = " in line:
            one = _instruction(line.strip())
            current[one.name] = one
    return program, entry


def _instruction(line: str) -> _Instruction:
    name, rest = line.removeprefix("ROOT ").split(" = ", 1)
    shape, rest = _split_at_end(rest) if rest[0] == "(" else rest.split(" ", 1)
    operation, rest = rest.strip().split("(", 1)
    arguments, _ = _split_at_end("(" + rest)
    return _Instruction(
        name.removeprefix("%"),
        list(_arrays(shape)),
        operation,
        re.findall(r"%([\w.\-]+)", arguments),
        rest,
    )


def _split_at_end(text: str) -> tuple[str, str]:
    """Splits after the bracket that closes the first one."""
    depth = 0
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if not depth:
            return text[: i + 1], text[i + 1 :]
    raise ValueError(f"no end of the bracket in {text[:80]!r}")


def _arrays(shape: str) -> Iterator[_Array]:
    """Arrays of a shape, such as f32[512,500]{0,1:T(8,128)S(1)}."""
    for kind, sizes, layout in _ARRAY.findall(shape):
        dims = [int(n) for n in sizes.split(",") if n]
        order, _, tiles = layout.partition(":")
        tile = re.match(r"T\(([\d,]+)\)", tiles)
        if tile and order:
            # Minor axis last, as in the tile.
            dims = [dims[int(axis)] for axis in reversed(order.split(","))]
            for i, n in enumerate(reversed(tile[1].split(",")), 1):
                if i <= len(dims):
                    dims[-i] = -(-dims[-i] // int(n)) * int(n)
        n_bytes = _BYTES[kind] * math.prod(dims)
        yield _Array(n_bytes, bool(_FAST_MEMORY.search(tiles)))
