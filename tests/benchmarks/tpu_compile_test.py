# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""Training compiled for TPUs, and what is read in the compiled text."""

import importlib.util

import numpy as np
import pytest

from tests import scripts

tpu_compile = scripts.load("tpu_compile")
tpu_program = scripts.load("tpu_program")

# A loop over steps in the form of the compiler. Of main memory it reads 4 rows
# of 128 bytes and writes 4 into fast memory, fetches 1024 x 4 bytes, updates a
# row of 128 floats in place, and reads and writes a sum of 5 x 200 floats,
# which are stored as 8 x 256. The loop within takes 3 turns of 1024 x 4 bytes
# each way.
_TEXT = """
HloModule jit_steps, is_scheduled=true

%rows (p0: u8[64,128], p1: s32[4]) -> u8[4,128] {
  %p0 = u8[64,128]{1,0:T(32,128)(4,1)} parameter(0)
  %p1 = s32[4]{0:T(128)S(1)} parameter(1)
  ROOT %gather = u8[4,128]{1,0:T(4,128)(4,1)S(1)} gather(%p0, %p1), x={1}
}

%put (q0: f32[9,128], q1: f32[1,128], q2: s32[]) -> f32[9,128] {
  %q0 = f32[9,128]{1,0:T(1,128)} parameter(0)
  %q1 = f32[1,128]{1,0:T(1,128)S(1)} parameter(1)
  %q2 = s32[]{:T(128)S(6)} parameter(2)
  ROOT %dus = f32[9,128]{1,0:T(1,128)} dynamic-update-slice(%q0, %q1, %q2, %q2)
}

%inner (t: (f32[1024])) -> (f32[1024]) {
  %t = (f32[1024]{0:T(1024)}) parameter(0)
  %a = f32[1024]{0:T(1024)} get-tuple-element(%t), index=0
  %b = f32[1024]{0:T(1024)} negate(%a), backend_config={"estimated_cycles":"7"}
  ROOT %u = (f32[1024]{0:T(1024)}) tuple(%b)
}

%body (s: (u8[64,128], f32[1024], /*index=2*/f32[9,128], f32[5,200])) -> () {
  %s = (u8[64,128]{1,0:T(32,128)(4,1)}, f32[1024]{0:T(1024)}) parameter(0)
  %x = u8[64,128]{1,0:T(32,128)(4,1)} get-tuple-element(%s), index=0
  %i = s32[4]{0:T(128)S(1)} get-tuple-element(%s), index=4
  %w = f32[1024]{0:T(1024)} get-tuple-element(%s), index=1
  %m = f32[9,128]{1,0:T(1,128)} get-tuple-element(%s), index=2
  %r = f32[1,128]{1,0:T(1,128)S(1)} get-tuple-element(%s), index=5
  %n = s32[]{:T(128)S(6)} get-tuple-element(%s), index=6
  %g = f32[5,200]{1,0:T(8,128)} get-tuple-element(%s), index=3
  %f = u8[4,128]{1,0:T(4,128)(4,1)S(1)} fusion(%x, %i), \
kind=kCustom, calls=%rows
  %c = (f32[1024]{0:T(1024)S(1)}, f32[1024]{0:T(1024)}, u32[]{:S(2)}) \
copy-start(%w)
  %d = f32[1024]{0:T(1024)S(1)} copy-done(%c)
  %e = f32[9,128]{1,0:T(1,128)} fusion(%m, %r, %n), \
kind=kLoop, calls=%put, backend_config={"estimated_cycles":"100"}
  %h = f32[5,200]{1,0:T(8,128)} all-reduce(%g), to_apply=%sum
  %k = f32[5,200]{0,1:T(8,128)S(1)} copy(%h2)
  %h2 = f32[5,200]{1,0:T(8,128)S(1)} bitcast(%d)
  %l = (f32[1024]{0:T(1024)}) while(%t0), \
condition=%less, body=%inner, backend_config={"known_trip_count":{"n":"3"}}
  ROOT %o = () tuple(%x)
}

ENTRY %main (a: u8[64,128]) -> () {
  %a = u8[64,128]{1,0:T(32,128)(4,1)} parameter(0)
  %big = f32[4096,4096]{1,0:T(8,128)} copy(%a)
  ROOT %loop = () while(%a), condition=%less, body=%body
}
"""


def test_bytes_of_a_step_are_those_of_main_memory_with_padding():
    found = tpu_program.moved_in_a_step(_TEXT)
    gathered, fetched, updated = 4 * 128, 4 * 1024, 4 * 128
    summed = 4 * 8 * 256
    turns = 3 * 2 * 4 * 1024
    assert found.hbm == gathered + fetched + updated + 2 * summed + turns
    assert (found.collectives, found.collective_bytes) == (1, summed)
    assert found.copied == 4 * 200 * 128  # its axis of 5 lies along 128 lanes
    assert found.cycles == 100 + 3 * 7


def test_a_program_without_a_loop_over_steps_is_refused():
    with pytest.raises(ValueError, match="one loop.*got 0.*several steps"):
        tpu_program.moved_in_a_step(_TEXT.replace("while(%a)", "custom(%a)"))


def test_roofline_is_the_slower_of_products_and_memory():
    row = {"chip": "v5e", "flops": "197e9", "hbm": "819e6"}
    assert tpu_compile.roofline_ms(row | {"precision": "bfloat16"}) == 1
    assert tpu_compile.roofline_ms(row | {"precision": "float32"}) == 6
    row["hbm"] = str(10 * 819e6)
    np.testing.assert_allclose(
        tpu_compile.roofline_ms(row | {"precision": "float32"}), 10
    )


def test_page_has_the_numbers_of_the_committed_file():
    rows = scripts.results("tpu_compile")
    compiled = {tuple(map(str, program)) for program in tpu_compile.PROGRAMS}
    for row in rows:
        assert tuple(row[f] for f in tpu_compile.Program._fields) in compiled
    page = (scripts.ROOT / "docs" / "scaling.md").read_text()
    assert tpu_compile.table(rows) in page


@pytest.mark.tpu_compile
@pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None,
    reason="libtpu is missing: pip install -e '.[tpu]'",
)
def test_digits_compile_for_one_chip_and_for_four():
    alone, split = (
        tpu_compile.in_a_new_process(
            tpu_compile.Program("published/digits", n_chips=n)
        )
        for n in (1, 4)
    )
    assert alone is not None and split is not None
    assert alone["flops"] > 0 and split["flops"] > 0
    # Every product has the examples as an axis, and a chip has a fourth.
    assert 0.2 < split["flops"] / alone["flops"] < 0.4
    assert alone["collectives"] == 0
    # Every parameter's gradient crosses the chips: 130,000 floats and more.
    assert split["collectives"] > 0
    assert split["collective_bytes"] >= alone["output_bytes"] / 4
    # No step moves the data set, which is 1438 rows of 128 bytes.
    for row in (alone, split):
        assert row["copied"] < 1438 * 128
