"""RepMode: one 3D U-Net for many fluorescent structures, its kernels mixed from experts by task."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from napari_ssp.networks.arguments import check_repmode

#: Side of the merged kernel; smaller experts are padded with zeros to it.
KERNEL = 5
#: The U-Net halves its input this many times.
LEVELS = 4


class MoDEConv(nn.Module):
    """Convolution whose kernel is a mixture of five experts, weighted by the task.

    Parameters
    ----------
    num_tasks : int
        Number of tasks that the gate knows.
    in_channels, out_channels : int
        Channels of the convolution.
    has_norm : bool
        Whether batch normalisation and ReLU follow; the network's last convolution has none.
    own_experts : sequence of int
        Tasks with a sixth expert, 5×5×5, that counts for them alone.

    References
    ----------
    D. Zhou et al.: RepMode: Learning to Re-parameterize Diverse Experts for Subcellular Structure
    Prediction. CVPR (2023), section 3.
    """

    expert_conv5x5_conv: nn.Parameter
    expert_conv3x3_conv: nn.Parameter
    expert_conv1x1_conv: nn.Parameter
    expert_avg3x3_conv: nn.Parameter
    expert_avg5x5_conv: nn.Parameter
    expert_avg3x3_pool: torch.Tensor
    expert_avg5x5_pool: torch.Tensor

    def __init__(
        self,
        num_tasks: int,
        in_channels: int,
        out_channels: int,
        has_norm: bool = True,
        own_experts: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.num_tasks = num_tasks
        self.out_channels = out_channels
        self.own_experts = tuple(own_experts)
        for name, side in _EXPERTS.items():
            kernel = torch.empty(out_channels, in_channels, side, side, side)
            nn.init.kaiming_uniform_(kernel, a=math.sqrt(5))
            self.register_parameter(name, nn.Parameter(kernel))
        for side in (3, 5):
            pool = torch.full((side, side, side), 1.0 / side**3)
            self.register_buffer(f"expert_avg{side}x{side}_pool", pool)
        self.gate = nn.Linear(num_tasks, len(_EXPERTS) * out_channels)
        for task in self.own_experts:
            kernel = torch.empty(out_channels, in_channels, *[KERNEL] * 3)
            nn.init.kaiming_uniform_(kernel, a=math.sqrt(5))
            self.register_parameter(f"expert_task{task}_conv", nn.Parameter(kernel))
            self.register_parameter(f"gate_task{task}", nn.Parameter(torch.zeros(out_channels)))
        self.subsequent_layer: nn.Module = nn.Identity()
        if has_norm:
            self.subsequent_layer = nn.Sequential(nn.BatchNorm3d(out_channels), nn.ReLU())

    def gates(self, task: int) -> torch.Tensor:
        """Return a task's weights (experts, out_channels); they sum to 1 over the experts."""
        scores = self.gate.weight[:, task] + self.gate.bias
        scores = scores.view(len(_EXPERTS), self.out_channels)
        if task in self.own_experts:
            scores = torch.cat([scores, self.get_parameter(f"gate_task{task}")[None]])
        return scores.softmax(dim=0)

    def kernel(self, task: int) -> torch.Tensor:
        """Merge the experts to a task's kernel (out, in, 5, 5, 5), as GatRep does."""
        gates = [weight.view(-1, 1, 1, 1, 1) for weight in self.gates(task)]
        # The pools are constant, so one of their values stands for all.
        around = gates[4] * self.expert_avg5x5_conv * self.expert_avg5x5_pool[0, 0, 0]
        middle = gates[1] * self.expert_conv3x3_conv
        middle = middle + gates[3] * self.expert_avg3x3_conv * self.expert_avg3x3_pool[0, 0, 0]
        # One pass over the large kernel; the smaller ones are added where they lie in it.
        merged = torch.addcmul(around, gates[0], self.expert_conv5x5_conv)
        merged[:, :, 1:4, 1:4, 1:4] += middle
        merged[:, :, 2:3, 2:3, 2:3] += gates[2] * self.expert_conv1x1_conv
        if task in self.own_experts:
            merged = torch.addcmul(merged, gates[5], self.get_parameter(f"expert_task{task}_conv"))
        return merged

    def begin_last_as(self, like: int) -> None:
        """Give the last task the gates of another one, and its own expert a kernel to fit.

        With the gates of its mixture unchanged beside it, an own expert has a sixth of the weight;
        its kernel makes up for what the mixture lacks.
        """
        last = self.num_tasks - 1
        self.gate.weight[:, last] = self.gate.weight[:, like]
        if last not in self.own_experts:
            return
        wanted, own = self.kernel(like), self.get_parameter(f"expert_task{last}_conv")
        scores = (self.gate.weight[:, last] + self.gate.bias).view(-1, self.out_channels)
        gate = self.get_parameter(f"gate_task{last}")
        gate.copy_(scores.logsumexp(dim=0) - math.log(len(_EXPERTS)))
        own.zero_()
        share = self.gates(last)[-1].view(-1, 1, 1, 1, 1)
        own.copy_((wanted - self.kernel(last)) / share)

    def forward(self, x: torch.Tensor, task: torch.Tensor) -> torch.Tensor:
        """Convolve each sample with the kernel of its own task, in training and in evaluation."""
        places, parts = [], []
        for wanted in sorted(set(task.tolist())):
            places.append((task == wanted).nonzero()[:, 0])
            chosen = x[places[-1]]
            parts.append(functional.conv3d(chosen, self.kernel(wanted), padding=KERNEL // 2))
        ordered = torch.cat(parts)[torch.cat(places).argsort()]
        result: torch.Tensor = self.subsequent_layer(ordered)
        return result


_EXPERTS = {
    "expert_conv5x5_conv": 5,
    "expert_conv3x3_conv": 3,
    "expert_conv1x1_conv": 1,
    "expert_avg3x3_conv": 1,
    "expert_avg5x5_conv": 1,
}


#: Makes a convolution of a network from its channels.
_Conv = Callable[..., MoDEConv]


class _TwoConvs(nn.Module):
    def __init__(self, conv: _Conv, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, out_channels)
        self.conv2 = conv(out_channels, out_channels)

    def forward(self, x: torch.Tensor, task: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.conv2(self.conv1(x, task), task)
        return result


class _Down(nn.Module):
    def __init__(self, conv: _Conv, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv_more = _TwoConvs(conv, in_channels, out_channels)
        self.conv_down = nn.Sequential(
            nn.Conv3d(out_channels, out_channels, 2, stride=2, bias=False),
            nn.BatchNorm3d(out_channels),
            nn.ReLU(),
        )

    def forward(self, x: torch.Tensor, task: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        skip = self.conv_more(x, task)
        return self.conv_down(skip), skip


class _Up(nn.Module):
    def __init__(self, conv: _Conv, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convt = nn.Sequential(
            nn.ConvTranspose3d(in_channels, out_channels, 2, stride=2, bias=False),
            nn.BatchNorm3d(out_channels),
            nn.ReLU(),
        )
        self.conv_less = _TwoConvs(conv, in_channels, out_channels)

    def forward(self, x: torch.Tensor, skip: torch.Tensor, task: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.conv_less(torch.cat([skip, self.convt(x)], dim=1), task)
        return result


class RepMode(nn.Module):
    """3D U-Net that predicts one of several structures from transmitted light.

    The state-dict keys are those of the published checkpoints.

    Parameters
    ----------
    num_tasks : int
        Number of structures.
    base_channels : int
        Channels of the first level; each further level has twice as many.
    in_channels, out_channels : int
        Channels of input and output.
    own_experts : sequence of int
        Tasks that were learned later and have an expert of their own in each convolution; the
        published networks have none.

    Raises
    ------
    ValueError
        When a number is out of its limits.

    References
    ----------
    D. Zhou et al.: RepMode: Learning to Re-parameterize Diverse Experts for Subcellular Structure
    Prediction. CVPR (2023).
    """

    def __init__(
        self,
        num_tasks: int = 12,
        base_channels: int = 32,
        in_channels: int = 1,
        out_channels: int = 1,
        own_experts: Sequence[int] = (),
    ) -> None:
        check_repmode(num_tasks, base_channels, in_channels, out_channels, own_experts)
        super().__init__()
        self.num_tasks = num_tasks
        self.own_experts = tuple(own_experts)
        self.stride = 2**LEVELS
        conv = partial(MoDEConv, num_tasks, own_experts=self.own_experts)
        widths = [base_channels * 2**level for level in range(LEVELS + 1)]
        for level in range(LEVELS):
            entering = in_channels if level == 0 else widths[level - 1]
            self.add_module(f"encoder_block{level + 1}", _Down(conv, entering, widths[level]))
        self.bottle_block = _TwoConvs(conv, widths[-2], widths[-1])
        for level in reversed(range(LEVELS)):
            self.add_module(
                f"decoder_block{level + 1}", _Up(conv, widths[level + 1], widths[level])
            )
        self.conv_out = conv(base_channels, out_channels, has_norm=False)

    def forward(self, x: torch.Tensor, task: torch.Tensor) -> torch.Tensor:
        """Predict the structure that each sample asks for.

        Parameters
        ----------
        x : torch.Tensor
            Stacks, float (N, 1, Z, Y, X), z-scored; Z, Y and X multiples of 16.
        task : torch.Tensor
            Task of each sample, int64 (N,).

        Returns
        -------
        torch.Tensor
            Float (N, 1, Z, Y, X).

        Raises
        ------
        ValueError
            When a length is not a multiple of 16, or a task does not exist.
        """
        self._check(x, task)
        skips = []
        for level in range(1, LEVELS + 1):
            x, skip = self.get_submodule(f"encoder_block{level}")(x, task)
            skips.append(skip)
        x = self.bottle_block(x, task)
        for level in range(LEVELS, 0, -1):
            x = self.get_submodule(f"decoder_block{level}")(x, skips.pop(), task)
        result: torch.Tensor = self.conv_out(x, task)
        return result

    def gates(self, task: int) -> dict[str, torch.Tensor]:
        """Return a task's expert weights by block, in the order of the signal.

        Parameters
        ----------
        task : int
            Which task, from 0.

        Returns
        -------
        dict of str to torch.Tensor
            Float (experts, channels) by block ("encoder 1" ... "bottleneck" ... "output"), the
            channels of all its convolutions side by side; they sum to 1 over the experts.
        """
        self._check_task(task)
        blocks = {f"encoder {k}": f"encoder_block{k}.conv_more" for k in range(1, LEVELS + 1)}
        blocks["bottleneck"] = "bottle_block"
        blocks |= {f"decoder {k}": f"decoder_block{k}.conv_less" for k in range(LEVELS, 0, -1)}
        pairs = {name: cast("_TwoConvs", self.get_submodule(at)) for name, at in blocks.items()}
        found = {
            name: torch.cat([pair.conv1.gates(task), pair.conv2.gates(task)], 1)
            for name, pair in pairs.items()
        }
        return {**found, "output": self.conv_out.gates(task)}

    @torch.no_grad()
    def extended(self, like: int, has_own_expert: bool = True) -> RepMode:
        """Copy of the network with one more task, which begins as a known one.

        Parameters
        ----------
        like : int
            Task whose prediction the new one gives until it has learned its own.
        has_own_expert : bool
            Whether each convolution gets an expert that counts for the new task alone. Without one,
            the new task begins with no more than the gates of the known one.

        Returns
        -------
        RepMode
            With the new task as its last; what it predicts for the others is the same to the bit.

        Raises
        ------
        ValueError
            When there is no task ``like``.
        """
        self._check_task(like)
        own = (*self.own_experts, self.num_tasks) if has_own_expert else self.own_experts
        first, last = self._convs()[0], self.conv_out
        sizes = (first.out_channels, first.expert_conv1x1_conv.shape[1], last.out_channels)
        longer = RepMode(self.num_tasks + 1, *sizes, own_experts=own)
        state = longer.state_dict()
        for name, value in self.state_dict().items():
            known = state[name][:, :-1] if name.endswith("gate.weight") else state[name]
            known.copy_(value)
        for conv in longer._convs():
            conv.begin_last_as(like)
        return longer.to(last.gate.weight.device).train(self.training)

    def _convs(self) -> list[MoDEConv]:
        return [layer for layer in self.modules() if isinstance(layer, MoDEConv)]

    def merge(self, task: int) -> MergedRepMode:
        """Plain U-Net for one task: merged kernels, batch normalisation folded in.

        Parameters
        ----------
        task : int
            Which task, from 0.

        Returns
        -------
        MergedRepMode
            In evaluation mode, on the same device; ``forward(x)``.

        Raises
        ------
        ValueError
            When there is no such task.
        """
        self._check_task(task)
        with torch.no_grad():
            return MergedRepMode(self, task).eval()

    def _check_task(self, task: int) -> None:
        if not 0 <= task < self.num_tasks:
            raise ValueError(f"Task {task} does not exist; there are 0 to {self.num_tasks - 1}.")

    def _check(self, x: torch.Tensor, task: torch.Tensor) -> None:
        if any(length % self.stride for length in x.shape[2:]):
            raise ValueError(
                f"RepMode needs lengths that are multiples of {self.stride}, got "
                f"{tuple(x.shape[2:])}; pad the stack or predict it in patches."
            )
        if task.shape != (len(x),) or not bool(((task >= 0) & (task < self.num_tasks)).all()):
            raise ValueError(
                f"Tasks must be one of 0 to {self.num_tasks - 1} for each of the {len(x)} samples, "
                f"got {task.tolist()}."
            )


class MergedRepMode(nn.Module):
    """What is left of a RepMode for one task: a 3D U-Net of plain convolutions."""

    def __init__(self, network: RepMode, task: int) -> None:
        super().__init__()
        levels = range(1, LEVELS + 1)
        down = [cast("_Down", network.get_submodule(f"encoder_block{k}")) for k in levels]
        up = [cast("_Up", network.get_submodule(f"decoder_block{k}")) for k in reversed(levels)]
        self.encoder = nn.ModuleList(_merged_pair(block.conv_more, task) for block in down)
        self.down = nn.ModuleList(_folded(*deepcopy(block.conv_down[:2])) for block in down)
        self.bottle = _merged_pair(network.bottle_block, task)
        self.up = nn.ModuleList(_folded(*deepcopy(block.convt[:2])) for block in up)
        self.decoder = nn.ModuleList(_merged_pair(block.conv_less, task) for block in up)
        self.out = _merged(network.conv_out, task)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Predict; shapes as of :class:`RepMode`."""
        skips = []
        for convs, down in zip(self.encoder, self.down, strict=True):
            skips.append(convs(x))
            x = down(skips[-1])
        x = self.bottle(x)
        for up, convs in zip(self.up, self.decoder, strict=True):
            x = convs(torch.cat([skips.pop(), up(x)], dim=1))
        result: torch.Tensor = self.out(x)
        return result

    def depths(self, depth: int) -> dict[str, int]:
        """Planes that each 5×5×5 convolution sees of a patch of so many, by the layer's name."""
        levels = {"bottle": LEVELS}
        for level in range(LEVELS):
            levels |= {f"encoder.{level}": level, f"decoder.{level}": LEVELS - 1 - level}
        pairs = {f"{name}.{k}": depth >> level for name, level in levels.items() for k in range(2)}
        return {**pairs, "out": depth}


def _merged_pair(pair: _TwoConvs, task: int) -> nn.Sequential:
    return nn.Sequential(_merged(pair.conv1, task), _merged(pair.conv2, task))


def _merged(layer: MoDEConv, task: int) -> nn.Module:
    kernel = layer.kernel(task)
    shape = (kernel.shape[1], kernel.shape[0], KERNEL)
    # On "meta" nothing is drawn at random that is replaced at once.
    plain = nn.Conv3d(*shape, padding=KERNEL // 2, bias=False, device="meta")
    plain.weight = nn.Parameter(kernel, requires_grad=False)
    if isinstance(layer.subsequent_layer, nn.Sequential):
        return _folded(plain, layer.subsequent_layer[0])
    return plain


def _folded(conv: nn.Module, norm: nn.Module) -> nn.Sequential:
    """Fold batch normalisation into a convolution that nobody else holds; ReLU follows.

    In place: at the size of the kernels, new memory costs several times what the product does.
    """
    assert isinstance(conv, nn.Conv3d | nn.ConvTranspose3d)
    assert isinstance(norm, nn.BatchNorm3d)
    assert norm.running_var is not None
    assert norm.running_mean is not None
    # The factors in float64, as they are few.
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = norm.bias.double() - norm.running_mean.double() * scale
    shape = (1, -1, 1, 1, 1) if isinstance(conv, nn.ConvTranspose3d) else (-1, 1, 1, 1, 1)
    conv.weight.mul_(scale.view(shape).to(conv.weight.dtype))
    conv.bias = nn.Parameter(bias.to(conv.weight.dtype))
    return nn.Sequential(conv.requires_grad_(False), nn.ReLU())
