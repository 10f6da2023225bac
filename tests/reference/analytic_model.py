"""A fixed "network" for end-to-end goldens: no weights, small receptive field, meaningful flows.

Input (N, 3, H, W) in [0, 1] -> (N, 3, H, W) = flow_y, flow_x, cellprob logit, like MEDIAR-Former.
It is deliberately NOT flip-equivariant (a constant drift and a shifted kernel), so that a wrong
sign, order or weight in test-time augmentation or ensembling changes the result.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


class AnalyticModel(torch.nn.Module):
    def __init__(
        self, sigma: float = 5.0, threshold: float = 0.45, drift: float = 0.25, shift: int = 1
    ):
        super().__init__()
        r = int(3 * sigma)
        t = torch.arange(-r, r + 1, dtype=torch.float32)
        g = torch.exp(-0.5 * (t / sigma) ** 2)
        self.register_buffer("g", g / g.sum())
        self.radius, self.threshold, self.drift, self.shift = r, threshold, drift, shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grey = x.mean(dim=1, keepdim=True)
        r, g = self.radius, self.g
        p = F.pad(grey, (r, r, r, r))
        b = F.conv2d(F.conv2d(p, g.view(1, 1, -1, 1)), g.view(1, 1, 1, -1))
        b = torch.roll(b, self.shift, dims=3)
        q = F.pad(b, (1, 1, 1, 1), mode="replicate")
        dy = (q[:, :, 2:, 1:-1] - q[:, :, :-2, 1:-1]) * 0.5
        dx = (q[:, :, 1:-1, 2:] - q[:, :, 1:-1, :-2]) * 0.5
        n = torch.sqrt(dy * dy + dx * dx + 1e-6)
        fy = 5.0 * dy / n + self.drift
        fx = 5.0 * dx / n - 0.5 * self.drift
        prob = 12.0 * (b - self.threshold)
        return torch.cat([fy, fx, prob], dim=1)
