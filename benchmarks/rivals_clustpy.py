# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""One fit of ClustPy's VaDE or ENRC, for ``rivals.py``, which starts it.

It needs ClustPy and nothing of ours:

    python rivals_clustpy.py METHOD DATA.npz RESULT.npz SEED THREADS K [K ...]

DATA holds ``train`` and ``test``, images in [0, 1]. RESULT gets the assignments
``test`` of the held-out images, shape (N, J), and the ``wall`` and ``cpu``
seconds of fit and predict.

All settings are ClustPy's defaults. Two things it leaves to the user: examples
are rows; and VaDE's default likelihood takes values in [0, 1], so they stay
there, while ENRC's autoencoder has a linear output, so its rows are brought to
mean 0 and variance 1 over all pixels.
"""

import sys
import time

import numpy as np
import torch
from clustpy.deep import ENRC, VaDE


def main(method, data, result, seed, threads, *n_clusters):
    torch.set_num_threads(int(threads))
    images = np.load(data)
    train, test = (
        images[split].reshape(len(images[split]), -1)
        for split in ("train", "test")
    )
    sizes = [int(k) for k in n_clusters]
    wall, cpu = time.perf_counter(), time.process_time()
    if method == "vade":
        (k,) = sizes
        model = VaDE(n_clusters=k, random_state=int(seed))
    else:
        model = ENRC(n_clusters=sizes, random_state=int(seed))
        mean, std = train.mean(), train.std()
        train, test = (train - mean) / std, (test - mean) / std
    model.fit(train)
    assignments = model.predict(test)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    np.savez(
        result, test=assignments.reshape(len(test), -1), wall=wall, cpu=cpu
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
