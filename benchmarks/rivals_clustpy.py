# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""One fit of a method of ClustPy, for ``rivals.py``, which starts it.

It needs ClustPy and nothing of ours:

    python rivals_clustpy.py METHOD DATA.npz RESULT.npz SEED THREADS K [K ...]

DATA holds ``train`` and ``test``, images in [0, 1]. RESULT gets the assignments
``test`` of the held-out images, shape (N, J), and the ``wall`` and ``cpu``
seconds of fit and predict.

All settings are ClustPy's defaults, but for three: NrKmeans starts ten times,
as the mixtures do; more than 20,000 images get 10 epochs of pretraining and 10
of clustering in place of 100 and 150; and of images of more than 1000 numbers
NrKmeans and AutoNR see the first 100 principal components, for they turn the
whole space in each iteration. Two things it leaves to the user: examples are
rows; and VaDE's default likelihood takes values in [0, 1], so they stay there,
while the other autoencoders have a linear output, so their rows are brought to
mean 0 and variance 1 over all pixels. AutoNR finds the numbers of clusters and
clusterings by itself.
"""

import sys
import time

import numpy as np
import torch
from clustpy.alternative import AutoNR, NrKmeans
from clustpy.deep import DEC, ENRC, VaDE
from sklearn.decomposition import PCA


def main(method, data, result, seed, threads, *n_clusters):
    torch.set_num_threads(int(threads))
    images = np.load(data)
    train, test = (
        images[split].reshape(len(images[split]), -1)
        for split in ("train", "test")
    )
    sizes = [int(k) for k in n_clusters]
    seed = int(seed)
    of_many = {}
    if len(train) > 20_000:
        of_many = {"pretrain_epochs": 10, "clustering_epochs": 10}
    wall, cpu = time.perf_counter(), time.process_time()
    if method != "vade":
        mean, std = train.mean(), train.std()
        train, test = (train - mean) / std, (test - mean) / std
    if method in ("nrkmeans", "autonr") and train.shape[1] > 1000:
        components = PCA(100, random_state=seed).fit(train)
        train, test = map(components.transform, (train, test))
    if method == "vade":
        model = VaDE(sizes[0], random_state=seed, **of_many)
    elif method == "enrc":
        model = ENRC(sizes, random_state=seed, **of_many)
    elif method == "nrkmeans":
        model = NrKmeans(sizes, n_init=10, random_state=seed)
    elif method == "autonr":
        model = AutoNR(random_state=seed)
    else:
        # Its pretrained autoencoder and k-means, which it starts from.
        model = DEC(
            sizes[0],
            random_state=seed,
            **(of_many | {"clustering_epochs": 0}),
        )
    model.fit(train)
    assignments = model.predict(test)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    np.savez(
        result, test=assignments.reshape(len(test), -1), wall=wall, cpu=cpu
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
