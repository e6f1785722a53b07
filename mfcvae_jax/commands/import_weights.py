# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
r"""Makes a run out of weights of the official PyTorch implementation.

    mfcvae import-weights --weights=model.pt --workdir=runs/official \
        --config=experiments/configs/published/mnist.py
    mfcvae report --workdir=runs/official

The config must describe the same model. With one encoder for each facet, the
run gets ``net.encoder_activation="relu"``: the official code knows no other.
"""

from absl import flags

from mfcvae_jax.commands import config_flag, running

__all__ = ["FLAGS", "main"]

FLAGS = (
    config_flag.config("File with the same model."),
    running.string(
        "weights", "The .pt file of the official run.", required=True
    ),
    running.string("workdir", "Folder to make.", required=True),
    running.switch("glorot", "The official run had init_type_p_z_c='glorot'."),
)


def main(values: flags.FlagValues) -> int:
    """Saves the weights as the last checkpoint of a new run."""
    settings = config_flag.read(values)
    from mfcvae_jax import official, workdir
    from mfcvae_jax.training import disk, runs

    trained = official.as_official(settings)
    if trained != settings:
        print("net.encoder_activation is relu, as in the official code")
    run = runs.make_run(trained)
    variables = official.variables_from_state_dict(
        official.read_state_dict(values.weights),
        run.settings,
        run.dataset.spec.image_shape,
        is_glorot=values.glorot,
    )
    folder = workdir.Workdir(values.workdir)
    disk.adopt(run, folder, variables)
    print(f"imported into {folder.path}; mfcvae report draws it")
    return 0
