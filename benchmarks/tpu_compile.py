# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Compiles training with the real TPU compiler. No TPU is needed.

    pip install -e '.[tpu]'
    python benchmarks/tpu_compile.py

Each program is the one that training runs, a dispatch of many steps. It is
compiled in a process of its own, one at a time, and adds a row to --csv; what
is there already is not compiled again. docs/results/tpu_compile.csv is such a
file, and docs/scaling.md shows its table. Nothing is run: every number is what
the compiler says, or follows from what it says.

The programs are no full product: from the published settings on one v5e, the
model changes, the precision, the number of seeds, the number of chips and the
kind of chip. What takes long to compile in float32 changes from bfloat16.
"""

import json
import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast
from unittest import mock

import jax
import tpu_program
from absl import flags
from jax.experimental import topologies

from mfcvae_jax import config as config_lib
from mfcvae_jax.commands import running
from mfcvae_jax.datasets import reader
from mfcvae_jax.report import csv_rows, markdown
from mfcvae_jax.settings import Precision
from mfcvae_jax.training import devices, runs, state

_CONFIGS = pathlib.Path(__file__).parents[1] / "experiments" / "configs"


class Chip(NamedTuple):
    """A kind of TPU.

    Attributes:
        accelerator: what Google calls a machine of so many, without the number.
        per_chip: by which that number is larger than that of the chips.
        topologies: the least that has so many chips.
        tflops: a second, of bfloat16 products, as the maker states it.
        gb: a second, from main memory, likewise.
    """

    accelerator: str
    per_chip: int
    topologies: dict[int, str]
    tflops: float
    gb: float


CHIPS = {
    "v5e": Chip(
        "v5litepod", 1, {1: "2x2", 4: "2x2", 8: "2x4"}, tflops=197, gb=819
    ),
    "v5p": Chip("v5p", 2, {1: "2x2x1", 4: "2x2x1"}, tflops=459, gb=2765),
    "v6e": Chip("v6e", 1, {1: "2x2", 4: "2x2"}, tflops=918, gb=1640),
}
# Products of float32 are six of bfloat16; see "highest" in docs/scaling.md.
_PASSES = {
    Precision.FLOAT32: 6,
    Precision.FAST_PRODUCTS: 1,
    Precision.BFLOAT16: 1,
}


class Program(NamedTuple):
    """What is compiled.

    Attributes:
        model: a config in experiments/configs.
        chip: a key of ``CHIPS``.
        n_chips: that it is spread over.
        n_seeds: S.
        precision: of the nets.
    """

    model: str
    chip: str = "v5e"
    n_chips: int = 1
    n_seeds: int = 1
    precision: str = Precision.FLOAT32.value


_DIGITS, _MNIST = "published/digits", "published/mnist"
_SVHN, _SHAPES3D = "published/svhn", "published/shapes3d_floor"
_FAST, _HALF = Precision.FAST_PRODUCTS.value, Precision.BFLOAT16.value
PROGRAMS = (
    *(Program(model) for model in (_DIGITS, _MNIST, "mnist", _SVHN)),
    *(
        Program(model, precision=precision)
        for model in (_MNIST, _SVHN)
        for precision in (_FAST, _HALF)
    ),
    Program(_SHAPES3D, precision=_HALF),
    *(Program(_DIGITS, n_chips=n_chips, n_seeds=10) for n_chips in (1, 4)),
    Program(_MNIST, n_seeds=10, precision=_HALF),
    *(
        Program(model, n_chips=n_chips)
        for model in (_DIGITS, _MNIST)
        for n_chips in (4, 8)
    ),
    Program(_SVHN, n_chips=4, precision=_HALF),
    *(Program(_MNIST, chip, precision=_HALF) for chip in ("v5p", "v6e")),
    Program(_SVHN, "v6e", precision=_HALF),
    Program(_MNIST, "v6e", n_chips=4, precision=_HALF),
)
# Training images, of the data sets that need not be at hand.
_N_IMAGES = {
    "digits": 1438,
    "mnist": 60000,
    "svhn_cropped": 73257,
    "shapes3d_floor": 3840,
}
_COLUMNS = (
    *Program._fields,
    *("batch", "steps", "wall_s", "cpu_s", "flops", "bytes_accessed"),
    *tpu_program.Moved._fields,
    *("argument_bytes", "output_bytes", "temporary_bytes", "code_bytes"),
    *("jax", "libtpu"),
)

_CSV = flags.DEFINE_string("csv", "runs/tpu_compile.csv", "Where rows go.")
_MODELS = flags.DEFINE_list("models", [], "Configs, such as mnist; or all.")
_CHIPS = flags.DEFINE_list("chips", [], "Numbers of chips; or all.")
_PROGRAM = flags.DEFINE_string(
    "program", "", "Only compile this one, in this process; JSON."
)
_TEXT = flags.DEFINE_string(
    "text", "", "Folder for the text of what was compiled; none if empty."
)


def _benchmark() -> int:
    if _PROGRAM.value:
        print(json.dumps(compiled(Program(*json.loads(_PROGRAM.value)))))
        return 0
    path = pathlib.Path(_CSV.value)
    failed = 0
    for program in PROGRAMS:
        if _MODELS.value and program.model not in _MODELS.value:
            continue
        if _CHIPS.value and str(program.n_chips) not in _CHIPS.value:
            continue
        if any(
            _key(row) == _key(program._asdict()) for row in csv_rows.read(path)
        ):
            continue
        print(*program, file=sys.stderr, flush=True)
        row = in_a_new_process(program, _TEXT.value)
        failed += row is None
        if row is not None:
            csv_rows.append(path, _COLUMNS, [row])
    print(table(csv_rows.read(path)))
    return 2 if failed else 0


def in_a_new_process(program: Program, text: str = "") -> dict[str, Any] | None:
    """Compiles a program; returns its row, or None if that failed.

    Args:
        program: which.
        text: folder for the text of what was compiled; none if empty.
    """
    chip = CHIPS[program.chip]
    number = 4 * chip.per_chip * -(-program.n_chips // 4)
    # These stand for what a machine with TPUs says of itself. No chip is held,
    # so several processes may compile.
    environment = os.environ | {
        "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
        "JAX_PLATFORMS": "cpu",
        "TPU_SKIP_MDS_QUERY": "1",
        "TPU_ACCELERATOR_TYPE": f"{chip.accelerator}-{number}",
        "TPU_WORKER_HOSTNAMES": "localhost",
        "TPU_WORKER_ID": "0",
    }
    for name in ("JAX_COMPILATION_CACHE_DIR", "JAX_DISABLE_MOST_OPTIMIZATIONS"):
        environment.pop(name, None)
    flag = f"--program={json.dumps(program)}"
    command = [sys.executable, __file__, flag, f"--text={text}"]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        print(f"exit code {done.returncode}: {program}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def compiled(program: Program) -> dict[str, Any]:
    """Compiles a program; returns its row.

    Args:
        program: which.
    """
    import libtpu  # the extra `tpu`; tables are written without it

    config = config_lib.load(_CONFIGS / f"{program.model}.py").to_dict()
    settings = config_lib.from_config(
        config_lib.changed(config, {"precision": program.precision})
    )
    batch = settings.train.batch_size
    if program.n_seeds == 1:
        # The published 150 of SVHN cannot be split over 4 or 8.
        batch = -(-batch // program.n_chips) * program.n_chips
    topology = topologies.get_topology_desc(
        platform="tpu",
        topology_name=f"{program.chip}:"
        + CHIPS[program.chip].topologies[program.n_chips],
    )
    data = settings.data.name
    stepper = runs.make_stepper(
        settings,
        reader.spec_of(data).image_shape,
        steps_per_epoch=_N_IMAGES[data] // batch,
    )

    def make(key):
        variables = state.initial_variables(stepper.model, key)
        return state.make_state(variables, stepper.optimiser, key)

    steps = settings.train.steps_per_dispatch
    start = jax.eval_shape(make, jax.random.key(0))
    training = devices.Program(
        stepper, batch, program.n_seeds, topology.devices[: program.n_chips]
    )
    # On a machine with TPUs the layers that have a form for CPUs see this.
    with mock.patch.object(jax, "default_backend", return_value="tpu"):
        lowered = training.lower(start, _N_IMAGES[data], steps)
    wall, cpu = time.perf_counter(), time.process_time()
    done = lowered.compile()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    text, cost, memory = (
        cast(Any, told())
        for told in (done.as_text, done.cost_analysis, done.memory_analysis)
    )
    if _TEXT.value:
        name = "_".join(map(str, program)).replace("/", "_")
        pathlib.Path(_TEXT.value, f"{name}.txt").write_text(text)
    return program._asdict() | {
        "batch": batch,
        "steps": steps,
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "flops": round(cost["flops"]),
        "bytes_accessed": round(cost["bytes accessed"]),
        **tpu_program.moved_in_a_step(text)._asdict(),
        "argument_bytes": memory.argument_size_in_bytes,
        "output_bytes": memory.output_size_in_bytes,
        "temporary_bytes": memory.temp_size_in_bytes,
        "code_bytes": memory.generated_code_size_in_bytes,
        "jax": jax.__version__,
        "libtpu": libtpu.__version__,
    }


def roofline_ms(row: Mapping[str, str]) -> float:
    """Returns the least time of a step on a chip, by its published figures.

    Args:
        row: of the CSV file.
    """
    chip = CHIPS[row["chip"]]
    passes = _PASSES[Precision(row["precision"])]
    return max(
        passes * float(row["flops"]) / (1e9 * chip.tflops),
        float(row["hbm"]) / (1e6 * chip.gb),
    )


def table(rows: Iterable[Mapping[str, str]]) -> str:
    """Writes the rows of the CSV file as a Markdown table.

    Args:
        rows: in any order.

    Returns:
        The table, programs in their own order.
    """
    of_programs = {_key(row): row for row in rows}
    lines = []
    for program in PROGRAMS:
        row = of_programs.get(_key(program._asdict()))
        if row is None:
            continue
        memory = sum(
            float(row[f"{kind}_bytes"])
            for kind in ("argument", "output", "temporary")
        )
        lines.append(
            (
                program.model,
                f"{program.n_chips} x {program.chip}",
                program.n_seeds,
                program.precision,
                f"{float(row['wall_s']):.0f} ({float(row['cpu_s']):.0f})",
                f"{memory / 1e6:.0f}",
                f"{float(row['flops']) / 1e9:.2f}",
                f"{float(row['hbm']) / 1e6:.1f}",
                f"{float(row['copied']) / 1e6:.1f}",
                _collectives(row),
                f"{roofline_ms(row):.3f}",
            )
        )
    header = "config|chips|seeds|precision|compiled in, s (CPU)|memory, MB"
    header += "|GFLOP|HBM, MB|layout copies, MB|collectives, MB"
    header += "|roofline, ms"
    return markdown.table(header.split("|"), lines)


def _key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[field]) for field in Program._fields)


def _collectives(row: Mapping[str, str]) -> str:
    if row["collectives"] == "0":
        return ""
    megabytes = float(row["collective_bytes"]) / 1e6
    return f"{row['collectives']}: {megabytes:.1f}"


if __name__ == "__main__":
    running.script(_benchmark)
