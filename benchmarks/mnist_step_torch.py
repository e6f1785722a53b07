# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The training step of ``mnist_step.py`` in plain PyTorch, written for it.

A child of that script: see ``beside_torch.py`` for what it reads and answers.
"""

import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

K, D = (25, 25), (5, 5)
GATE = 0.1


def layer(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, n_out), nn.ReLU())


class Prior(nn.Module):
    """A mixture of Gaussians with diagonal covariances."""

    def __init__(self, k, d):
        super().__init__()
        self.means = nn.Parameter(torch.randn(k, d))
        raw = math.log(math.expm1(10 * 0.01)) / 10
        self.raw_var = nn.Parameter(torch.full((k, d), raw))
        self.logits = nn.Parameter(torch.zeros(k))

    def terms(self, q_mean, q_log_var, z):
        """Returns KL_z + KL_c, the mean over the batch."""
        log_2pi = math.log(2 * math.pi)
        var = F.softplus(self.raw_var, beta=10)
        square = (z[:, None] - self.means).square() / var
        log_p = -0.5 * (square + var.log() + log_2pi).sum(-1)
        log_weights = torch.log_softmax(self.logits, dim=0)
        log_resp = torch.log_softmax(log_p + log_weights, dim=-1)
        resp = log_resp.exp()
        square_q = (z - q_mean).square() * torch.exp(-q_log_var)
        log_q = -0.5 * (square_q + q_log_var + log_2pi).sum(-1)
        kl_z = log_q - (resp * log_p).sum(-1)
        kl_c = (resp * (log_resp - log_weights)).sum(-1)
        return kl_z.mean() + kl_c.mean()


class Model(nn.Module):
    """The published net for J = 2."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.ModuleList([layer(784, 500), layer(500, 2000)])
        self.heads = nn.ModuleList(
            [nn.Linear(500, 2 * D[0]), nn.Linear(2000, 2 * D[1])]
        )
        self.priors = nn.ModuleList(map(Prior, K, D))
        self.upper = nn.Sequential(layer(D[1], 2000), layer(2000, 500))
        self.rung = layer(D[0], 500)
        self.lower = nn.Sequential(layer(500, 500), nn.Linear(500, 784))

    def loss(self, x):
        """Returns the training loss of images (B, 784)."""
        h, z, kl = x, [], 0.0
        for backbone, head, prior in zip(
            self.encoder, self.heads, self.priors, strict=True
        ):
            h = backbone(h)
            mean, log_var = head(h).chunk(2, dim=1)
            z.append(mean + torch.exp(0.5 * log_var) * torch.randn_like(mean))
            kl = kl + prior.terms(mean, log_var, z[-1])
        logits = self.lower(self.upper(z[1]) + GATE * self.rung(z[0]))
        cross_entropy = F.binary_cross_entropy_with_logits(
            logits, x, reduction="sum"
        )
        return kl + cross_entropy / len(x)


def main():
    batch_size, n_threads = int(sys.argv[1]), int(sys.argv[2])
    device = torch.device(sys.argv[3])
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    torch.set_num_threads(n_threads)
    torch.manual_seed(0)
    images = torch.randint(0, 256, (60000, 784), dtype=torch.uint8).to(device)
    order = torch.randperm(len(images)).to(device)
    model = Model().to(device)
    adam = torch.optim.Adam(model.parameters(), lr=5e-4)
    print(torch.__version__, flush=True)
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        for members in order.split(batch_size)[: int(line)]:
            x = images[members] / 255
            adam.zero_grad()
            model.loss(x).backward()
            adam.step()
        wait()
        print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)


if __name__ == "__main__":
    main()
