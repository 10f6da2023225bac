"""Label images and network-like inputs for the flow-tracking goldens (deterministic)."""

from __future__ import annotations

import numpy as np

KINDS = ("touching_disks", "rods", "huge", "tiny", "border", "empty", "concave", "dense300")


def _disk(shape, cy, cx, r):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - cy) ** 2 + (x - cx) ** 2 <= r * r


def make_labels(kind: str, seed: int = 0) -> np.ndarray:
    """int32 label image (0 background, ids 1..n without gaps) of one kind."""
    rng = np.random.default_rng(1000 + seed)
    if kind == "touching_disks":
        lab = np.zeros((128, 144), np.int32)
        n = 0
        for cy in range(24, 120, 20):
            for cx in range(24, 130, 20):
                n += 1
                m = _disk(lab.shape, cy + rng.integers(-1, 2), cx + rng.integers(-1, 2), 10.5)
                lab[m & (lab == 0)] = n
    elif kind == "rods":
        lab = np.zeros((160, 160), np.int32)
        y, x = np.mgrid[:160, :160]
        n = 0
        for _ in range(400):
            if n == 14:
                break
            cy, cx, a = rng.uniform(12, 148), rng.uniform(12, 148), rng.uniform(0, np.pi)
            length, width = rng.uniform(26, 52), rng.uniform(5, 8)
            u = (x - cx) * np.cos(a) + (y - cy) * np.sin(a)
            v = -(x - cx) * np.sin(a) + (y - cy) * np.cos(a)
            m = (np.abs(u) <= length / 2) & (np.abs(v) <= width / 2)
            if m.sum() > 60 and not (lab[m] > 0).any():
                n += 1
                lab[m] = n
    elif kind == "huge":
        lab = np.zeros((200, 200), np.int32)
        lab[_disk(lab.shape, 100, 98, 86)] = 1  # about 58 % of the image
    elif kind == "tiny":
        lab = np.zeros((64, 64), np.int32)
        n = 0
        for k, (h, w) in enumerate(
            [
                (1, 1),
                (1, 2),
                (2, 1),
                (2, 2),
                (1, 4),
                (3, 3),
                (4, 4),
                (5, 5),
                (3, 7),
                (6, 6),
                (1, 9),
                (8, 8),
            ]
        ):
            n += 1
            r, c = 4 + 15 * (k // 4), 4 + 15 * (k % 4)
            lab[r : r + h, c : c + w] = n
    elif kind == "border":
        lab = np.zeros((96, 112), np.int32)
        centres = [
            (0, 0),
            (0, 40),
            (2, 80),
            (4, 111),
            (40, 0),
            (60, 108),
            (95, 5),
            (93, 50),
            (95, 95),
            (40, 45),
            (66, 70),
            (30, 85),
        ]
        for n, (cy, cx) in enumerate(centres, 1):
            m = _disk(lab.shape, cy, cx, 12)
            lab[m & (lab == 0)] = n
    elif kind == "empty":
        lab = np.zeros((80, 72), np.int32)
    elif kind == "concave":
        lab = np.zeros((128, 128), np.int32)
        lab[_disk(lab.shape, 36, 36, 24) & ~_disk(lab.shape, 36, 36, 12)] = 1  # ring
        c = _disk(lab.shape, 40, 92, 26) & ~_disk(lab.shape, 40, 98, 18)
        lab[c] = 2  # crescent
        lab[80:120, 16:24] = 3
        lab[112:120, 16:60] = 3  # L
        lab[80:90, 80:90] = 4
        lab[104:114, 100:110] = 4  # one label, two separate parts
    elif kind == "dense300":
        shape = (512, 512)
        pts: list[tuple[float, float]] = []
        while len(pts) < 300:
            p = rng.uniform(0, 512, 2)
            if all((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 > 20.0**2 for q in pts):
                pts.append((float(p[0]), float(p[1])))
        q = np.array(pts)
        y, x = np.mgrid[:512, :512]
        best = np.full(shape, np.inf)
        lab = np.zeros(shape, np.int32)
        rad = rng.uniform(10, 17, 300)
        for n, (cy, cx) in enumerate(q, 1):
            d = (y - cy) ** 2 + (x - cx) ** 2
            m = d < best
            best[m] = d[m]
            lab[m & (d <= rad[n - 1] ** 2)] = n
            lab[m & (d > rad[n - 1] ** 2)] = 0
    else:
        raise ValueError(kind)
    ids = np.unique(lab)
    return np.searchsorted(ids, lab).astype(np.int32) if ids[0] == 0 else lab


def make_outputs(flow: np.ndarray, lab: np.ndarray, seed: int, noise: float = 0.5):
    """(dP, cellprob) like a network's: 5 * flow + noise, and a probability in (0, 1), both float32."""
    n = np.random.default_rng(5000 + seed).standard_normal((3, *lab.shape)).astype(np.float32)
    dp = (np.float32(5.0) * flow.astype(np.float32) + np.float32(noise) * n[:2]).astype(np.float32)
    z = np.float32(8.0) * (lab > 0).astype(np.float32) - np.float32(4.0) + n[2]
    return dp, (1.0 / (1.0 + np.exp(-z.astype(np.float64)))).astype(np.float32)


def perturb(lab: np.ndarray, seed: int) -> np.ndarray:
    """A prediction-like label image: some cells shifted, shrunk, split, merged, dropped; some spurious."""
    rng = np.random.default_rng(9000 + seed)
    out = np.zeros_like(lab)
    nxt = 1
    prev = 0
    for i in range(1, int(lab.max()) + 1):
        m = lab == i
        if not m.any():
            continue
        u = rng.random()
        if u < 0.08:
            continue
        if u < 0.16 and prev:
            out[m] = prev
            continue
        if u < 0.26:
            ys = np.nonzero(m)[0]
            cut = int(np.median(ys))
            top = m.copy()
            top[cut:] = False
            out[top] = nxt
            nxt += 1
            m = m & ~top
        elif u < 0.7:
            dy, dx = rng.integers(-3, 4, 2)
            s = np.zeros_like(m)
            ys, xs = np.nonzero(m)
            ys, xs = ys + dy, xs + dx
            ok = (ys >= 0) & (ys < lab.shape[0]) & (xs >= 0) & (xs < lab.shape[1])
            s[ys[ok], xs[ok]] = True
            m = s & (out == 0)
        if m.any():
            out[m] = nxt
            prev = nxt
            nxt += 1
    for _ in range(3):
        cy, cx = rng.integers(5, lab.shape[0] - 5), rng.integers(5, lab.shape[1] - 5)
        m = _disk(lab.shape, cy, cx, 4) & (out == 0)
        if m.any():
            out[m] = nxt
            nxt += 1
    ids = np.unique(out)
    return np.searchsorted(ids, out).astype(np.int32) if ids[0] == 0 else out
