# Copyright 2026 The mfcvae_jax Authors
# SPDX-License-Identifier: Apache-2.0
"""The training step of ``svhn_step.py`` in plain PyTorch, written for it.

A child of that script: see ``beside_torch.py`` for what it reads and answers.
"""

import math
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

K, D = (200, 50), (22, 7)
STD = 0.3


def normalised(layer):
    return nn.utils.parametrizations.weight_norm(layer)


def encoder_layer(n_in, n_out, stride=2):
    conv = normalised(nn.Conv2d(n_in, n_out, 4, stride, 1))
    return nn.Sequential(conv, nn.ELU(), nn.BatchNorm2d(n_out))


def decoder_layer(n_in, n_out, width=4, stride=2):
    conv = nn.ConvTranspose2d(n_in, n_out, width, stride, 1)
    return nn.Sequential(conv, nn.ELU(), nn.BatchNorm2d(n_out))


def decoder_rung(d, *shape):
    n = math.prod(shape)
    return nn.Sequential(
        nn.Linear(d, n), nn.ELU(), nn.BatchNorm1d(n), nn.Unflatten(1, shape)
    )


class Prior(nn.Module):
    """A mixture of Gaussians with full covariances and fixed weights."""

    def __init__(self, k, d):
        super().__init__()
        self.means = nn.Parameter(torch.randn(k, d))
        raw = math.log(math.expm1(10 * 0.1)) / 10
        self.raw_tril = nn.Parameter(raw * torch.eye(d).repeat(k, 1, 1))
        self.log_weight = -math.log(k)

    def terms(self, q_mean, q_log_var, z):
        """Returns KL_z + KL_c, the mean over the batch."""
        raw = self.raw_tril
        diagonal = F.softplus(raw.diagonal(dim1=1, dim2=2), beta=10)
        tril = raw.tril(-1) + torch.diag_embed(diagonal)
        k, d = self.means.shape
        eye = torch.eye(d, device=z.device).expand(k, d, d)
        inverse = torch.linalg.solve_triangular(tril, eye, upper=False)
        white = torch.einsum("kij,bj->bki", inverse, z)
        white = white - torch.einsum("kij,kj->ki", inverse, self.means)
        log_p = (
            -0.5 * white.square().sum(-1)
            - diagonal.log().sum(-1)
            - 0.5 * d * math.log(2 * math.pi)
        )
        log_resp = torch.log_softmax(log_p, dim=-1)
        resp = log_resp.exp()
        white_q = (z - q_mean) * torch.exp(-0.5 * q_log_var)
        log_q = -0.5 * (
            white_q.square() + q_log_var + math.log(2 * math.pi)
        ).sum(-1)
        kl_z = log_q - (resp * log_p).sum(-1)
        kl_c = (resp * (log_resp - self.log_weight)).sum(-1)
        return kl_z.mean() + kl_c.mean()


class Model(nn.Module):
    """The published net for J = 2."""

    def __init__(self):
        super().__init__()
        self.backbones = nn.ModuleList(
            [encoder_layer(3, 64), encoder_layer(64, 128)]
        )
        self.rungs = nn.ModuleList(
            [
                nn.Sequential(encoder_layer(64, 64), encoder_layer(64, 64, 1)),
                nn.Sequential(encoder_layer(128, 128), encoder_layer(128, 256)),
            ]
        )
        self.heads = nn.ModuleList(
            [nn.Linear(3136, 2 * D[0]), nn.Linear(1024, 2 * D[1])]
        )
        self.priors = nn.ModuleList(map(Prior, K, D))
        self.rung_1 = decoder_rung(D[1], 256, 8, 8)
        self.backbone_1 = nn.Sequential(
            decoder_layer(256, 128), decoder_layer(128, 64, 3, 1)
        )
        self.rung_0 = decoder_rung(D[0], 64, 16, 16)
        self.backbone_0 = decoder_layer(128, 3)

    def loss(self, x):
        """Returns the training loss of images (B, C, H, W)."""
        h, z, kl = x, [], 0.0
        for backbone, rung, head, prior in zip(
            self.backbones, self.rungs, self.heads, self.priors, strict=True
        ):
            h = backbone(h)
            mean, log_var = head(rung(h).flatten(1)).chunk(2, dim=1)
            z.append(mean + torch.exp(0.5 * log_var) * torch.randn_like(mean))
            kl = kl + prior.terms(mean, log_var, z[-1])
        upper = self.backbone_1(self.rung_1(z[1]))
        h = self.backbone_0(torch.cat([self.rung_0(z[0]), upper], dim=1))
        white = (x - torch.sigmoid(h)) / STD
        log_p = -0.5 * white.square() - math.log(STD * math.sqrt(2 * math.pi))
        return kl - log_p.sum((1, 2, 3)).mean()


def main():
    batch_size, n_threads = int(sys.argv[1]), int(sys.argv[2])
    device = torch.device(sys.argv[3])
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    torch.set_num_threads(n_threads)
    torch.manual_seed(0)
    images = torch.randint(0, 256, (20 * batch_size, 3, 32, 32)) / 255
    images = images.to(device)
    model = Model().to(device)
    adam = torch.optim.Adam(model.parameters(), lr=5e-4)
    print(torch.__version__, flush=True)
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        for i in range(int(line)):
            x = images[batch_size * i : batch_size * (i + 1)]
            adam.zero_grad()
            model.loss(x).backward()
            adam.step()
        wait()
        print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)


if __name__ == "__main__":
    main()
