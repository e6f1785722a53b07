# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Makes a run out of weights of the official PyTorch implementation.

python experiments/import_weights.py --weights=model.pt \
        --config=experiments/configs/mnist.py --workdir=runs/official
python experiments/evaluate.py --workdir=runs/official
"""

import sys

from absl import app, flags, logging
from ml_collections import config_flags

from mfcvae_jax import official, workdir
from mfcvae_jax import settings as settings_lib
from mfcvae_jax.training import loop, runs

_CONFIG = config_flags.DEFINE_config_file(
    "config", help_string="File with the same model.", lock_config=True
)
_WEIGHTS = flags.DEFINE_string(
    "weights", None, "The .pt file of the official run.", required=True
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder to make.", required=True
)
_GLOROT = flags.DEFINE_bool(
    "glorot", False, "The official run had init_type_p_z_c='glorot'."
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {argv[1:]}")
    try:
        run = runs.make_run(settings_lib.from_config(_CONFIG.value.to_dict()))
        variables = official.variables_from_state_dict(
            official.read_state_dict(_WEIGHTS.value),
            run.settings,
            run.dataset.spec.image_shape,
            is_glorot=_GLOROT.value,
        )
        folder = workdir.Workdir(_WORKDIR.value)
        loop.adopt(run, folder, variables)
    except (ValueError, OSError, ImportError) as error:
        logging.debug("where it came from", exc_info=True)
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"imported into {folder.path}; see experiments/evaluate.py")
    return 0


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    app.run(main)
