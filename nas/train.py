"""Training of a network of shift weights (paper appendix B)."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import astuple
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hw import plugins
from hw.console import note, progress
from hw.data import SPLITS
from hw.errors import InputError
from hw.ir.format import Format
from hw.ir.parameters import Rounding
from hw.networks.conventional import Conventional
from hw.networks.counts import count
from hw.networks.inside import Inside
from hw.networks.parts import edge_ends
from hw.networks.space import Genotype
from nas import beginning, distributed
from nas.auxiliary_head import TrainedNetwork
from nas.batches import Augmentation, ImageSet, own_part, steps_of
from nas.config import Activations, Config, TrainConfig
from nas.events import require_tensorboard
from nas.fake_quantise import paper_formats
from nas.inside import exponents_of
from nas.journal import Journal
from nas.meter import Meter
from nas.model import GraphModel, count_weights, image_tensor
from nas.norm import average_running_statistics, normalise_apart
from nas.optimise import ShiftOptimiser, StepSettings, cosine, stepped
from nas.own import Own
from nas.precision import autocast
from nas.quantise import CALIBRATION_IMAGES, calibrate
from nas.runs import Run, restore_random_state, set_up
from nas.shift import advance_weights
from nas.sources import (
    calibration_images,
    evaluated,
    load_images,
    note_large_batch,
    open_splits,
    record_data,
    require_learnable,
)
from nas.task import Task

EVALUATION_BATCH = 500
VALIDATION = "validation_"
"""What the log's figures of validation images begin with."""


def make_model(task: Task) -> GraphModel:
    """The network that a training task trains, with new weights, on the CPU.

    InputError where the images are too small for it.
    """
    train, graph = task.config.train, task.graph()
    edges = () if task.genotype is None else edge_ends(graph)
    model = GraphModel(graph, task.domain, task.config.shift, edges)
    model.rounding = Rounding(train.rounding or Rounding.HALF_UP)
    match train.activations:
        case Activations.PAPER:
            model.formats, model.rounding = paper_formats(model.live), Rounding.FLOOR
        case Activations.CALIBRATED | Activations.OFF:
            pass  # `calibrated` has formats from its last epochs on
        case _:
            raise ValueError(f"activations: {train.activations!r}")
    return model


@torch.no_grad()
def evaluate(
    logits_of: Callable[[Tensor], Tensor],
    images: ImageSet,
    device: torch.device,
    classes: int | None = None,
) -> Meter:
    """Loss and accuracies over all images; the class is the first largest logit.

    `classes`: so many, where a confusion matrix is wanted too.
    """
    meter = Meter(device, classes)
    for pixels, labels in images.batches(EVALUATION_BATCH):
        logits = logits_of(image_tensor(pixels))
        meter.update(functional.cross_entropy(logits, labels), logits, labels)
    return meter


def train(
    network: Genotype | Conventional | Own,
    data: str,
    out: str | Path,
    config: Config,
    *,
    domain: str = "shift",
    resume: bool = False,
    force: bool = False,
    tensorboard: bool = False,
    start: str | Path | beginning.Weights | None = None,
) -> dict[str, Any]:
    """Train a network of cells, a conventional or a user's own, and write the run; returns its
    metrics.

    `start`: a run, or a checkpoint, of a training whose weights it begins with; or those weights.

    The run's folder holds config.yaml, genotype.yaml (of cells), log.jsonl, checkpoint.pt, and in
    the end metrics.json and inside.json. It is brought up to date after every epoch, so that a run
    cut short goes on with `resume` and ends as it would have. Epochs are evaluated on validation
    images, if there are any, and the test images are looked at once, after the last epoch.
    """
    if tensorboard:
        require_tensorboard()
    if domain == "shift" and config.shift.layer == "inq" and config.train.epochs < 2:
        raise InputError(
            f"train.epochs: {config.train.epochs}: shift.layer inq begins with real weights and "
            "freezes the last of them in the last epoch; expected at least 2, or layer ps or q"
        )
    if not isinstance(network, Genotype):
        require_no_head(config.train)
    crop = config.train.resized_crop
    final = evaluated(data, config)
    splits = open_splits(data, SPLITS, config, resized_crop=crop)
    training = splits["train"]
    require_learnable(training, data)
    device = distributed.join(set_up(config))
    distributed.require_shares(config.train.batch, "train.batch")
    match start:
        case None | beginning.Weights():
            found = start
        case _:
            found = beginning.read(start)
    task = Task(
        "train",
        record_data(data, **splits),
        config,
        network if isinstance(network, Genotype) else None,
        domain,
        None if found is None else found.digest,
        plugins.loaded(),
        None if isinstance(network, Genotype) else network,
    )
    torch.manual_seed(config.seed)
    workers = config.folder.workers
    images = load_images(training, device, config.train.images, workers, resized_crop=crop)
    note_large_batch("train.batch", config.train.batch, len(images))
    model = make_model(task)
    if not isinstance(network, Genotype):
        note_no_edges(config.train)
    match found:
        case beginning.Weights(place, source):
            note(f"{place}: {beginning.take_over(model, source, place)}")
        case beginning.Beginning():
            source = _restored(make_model(found.task), found.state, found.path)
            note(f"--from {start}: {beginning.take_over(model, source, found.path)}")
    trained = TrainedNetwork(model, config.train.stem, config.train.auxiliary > 0)
    with closing(Run.start(out, task, resume=resume, force=force)) as run:
        run.keep_calibration(lambda: calibration_images(training))
        held_out = {
            split: own_part(load_images(source, device, workers=workers))
            for split, source in splits.items()
            if split != "train"
        }
        with closing(Journal(run, device, tensorboard)) as journal:
            trainer = _Trainer(journal, trained.to(device), images, device)
            seconds = trainer.run_epochs(held_out.get("validation"))
        validated = {k: v for k, v in journal.log[-1].items() if k.startswith(VALIDATION)}
        tested = evaluate(model.eval(), held_out[final], device, training.classes)
        size = count(model.graph)
        metrics = {
            **tested.accuracies(),
            "images": len(splits[final]),
            "split": final,
            **(validated if final == "test" else {}),
            "training_images": len(images),
            "weights": size.weights,
            "additions": size.additions,
            "epochs": config.train.epochs,
            "domain": domain,
            "seconds": round(seconds, 1),
        }
        if trained.head is not None:
            metrics["auxiliary_weights"] = count_weights(trained.head)
        run.write_inside(Inside(exponents_of(model), tested.confusion))
        run.write_metrics(metrics)
    return metrics


def in_words(metrics: Mapping[str, Any], out: Path) -> str:
    """The line with which a training ends."""
    return (
        f"accuracy {100 * metrics['accuracy']:.2f} % on {metrics['images']} "
        f"{metrics['split']} images, {metrics['weights']:,} trainable weights, "
        f"{metrics['seconds']:.0f} s; written to {out}"
    )


def require_no_head(train: TrainConfig) -> None:
    """InputError where a network without cells is to have an auxiliary head."""
    if train.auxiliary:
        raise InputError(
            f"train.auxiliary: {train.auxiliary:g}: the auxiliary head reads a reduction cell, and "
            "this network has none; set train.auxiliary=0"
        )


def note_no_edges(train: TrainConfig) -> None:
    """Say that drop-path has nothing to act on in a network without cells."""
    if train.drop_path:
        note(
            f"train.drop_path: {train.drop_path:g}: of the edges of cells; this network has none, "
            "and nothing is dropped"
        )


class _Trainer:
    """State of a training run: model, optimiser, log."""

    def __init__(
        self, journal: Journal, network: TrainedNetwork, images: ImageSet, device: torch.device
    ):
        self.journal, run = journal, journal.run
        self.run, self.network, self.images, self.device = run, network, images, device
        self.model = network.network
        self.config = run.task.config.train
        self.optimiser = ShiftOptimiser(
            network, self.config.lr, StepSettings.of(self.config), run.task.config.shift
        )
        if not run.task.config.sync_batch_norm:
            normalise_apart(network)
        self.augment = Augmentation(
            self.config.crop, self.config.flip, self.config.cutout, self.config.jitter
        )
        state = self.journal.resume()
        if state is not None:
            self.model.load_state_dict(state["model"])
            if self.network.head is not None:
                self.network.head.load_state_dict(state["auxiliary"])
            self.optimiser.load_state_dict(state["optimiser"])
            restore_random_state(state["random"], device)
            if state["formats"] is not None:
                self.model.formats = {k: Format(*v) for k, v in state["formats"].items()}

    def run_epochs(self, validation: ImageSet | None) -> float:
        """Train the epochs that are left; seconds of all of them."""
        config = self.config
        steps = steps_of(len(self.images), config.batch, shuffle=True)
        done = len(self.journal.log)
        with progress("train", config.epochs * steps, done * steps) as bar:
            for epoch in range(done, config.epochs):
                with self.journal.epoch("train", epoch, config.epochs) as entry:
                    entry |= {"phase": "train", "lr": self._lr(epoch * steps, steps)}
                    entry |= self._trained_epoch(epoch, steps, validation, bar.advance)
                self.journal.keep(self._state())
        return sum(entry["seconds"] for entry in self.journal.log)

    def _trained_epoch(
        self,
        epoch: int,
        steps: int,
        validation: ImageSet | None,
        advance: Callable[..., None],
    ) -> dict[str, float]:
        """Train an epoch and validate, where there is something to; the figures, by name."""
        config = self.config
        advance_weights(self.network, epoch / max(1, config.epochs - 1))
        if epoch >= config.epochs - config.quantise_epochs and self.model.formats is None:
            self.model.formats = self._calibrated()
        trained = self._epoch(epoch, steps, advance)
        average_running_statistics(self.network)
        figures = {"loss": trained.loss, **trained.accuracies()}
        if validation is None:
            return figures
        return figures | evaluate(self.model.eval(), validation, self.device).accuracies(VALIDATION)

    def _calibrated(self) -> dict[str, Format]:
        pixels = self.images.sample(CALIBRATION_IMAGES)
        return calibrate(self.model, image_tensor(pixels), self.config.act_bits)

    def _lr(self, step: int, steps: int) -> float:
        config, warmup = self.config, self.config.warmup_epochs * steps
        if config.lr_steps and step >= warmup:
            return stepped(config.lr, step // steps, config.epochs, config.lr_steps)
        return cosine(config.lr, step, config.epochs * steps, warmup)

    def _epoch(self, epoch: int, steps: int, advance: Callable[..., None]) -> Meter:
        config = self.config
        self.network.train()
        self.model.drop_path = config.drop_path * epoch / max(1, config.epochs - 1)
        meter = Meter(self.device)
        for step, (pixels, labels) in enumerate(self.images.batches(config.batch, shuffle=True)):
            self.optimiser.set_lr(self._lr(epoch * steps + step, steps))
            self.optimiser.zero_grad()
            with autocast(self.device, self.run.task.config.precision):
                logits, auxiliary = self.network(self.augment(pixels))
            loss = self._loss(logits, labels)
            if auxiliary is not None:
                loss = loss + config.auxiliary * self._loss(auxiliary, labels)
            loss.backward()
            self.optimiser.step()
            meter.update(loss.detach(), logits, labels)
            advance(1, meter.note)
        return meter

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        smoothing = self.config.label_smoothing
        return functional.cross_entropy(logits.float(), labels, label_smoothing=smoothing)

    def _state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "auxiliary": self.network.head and self.network.head.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "formats": self._plain_formats(),
        }

    def _plain_formats(self) -> dict[str, tuple] | None:
        if self.model.formats is None:
            return None
        return {k: astuple(f) for k, f in self.model.formats.items()}


def load_trained(folder: str | Path) -> GraphModel:
    """The network of a finished or unfinished training run, in evaluation mode, on the CPU.

    Raises
    ------
    InputError: not a training run, or no epoch done yet
    """
    run = Run.open(folder)
    state = run.load() if run.task.kind == "train" else None
    if state is None:
        raise InputError(f"{folder}: no trained network; give the folder that `train` wrote")
    return _restored(make_model(run.task), state["model"], folder).eval()


def _restored(model: GraphModel, state: dict[str, Tensor], place: str | Path) -> GraphModel:
    """The model with its weights from a checkpoint."""
    try:
        model.load_state_dict(state)
    except (RuntimeError, KeyError) as error:
        raise InputError(f"{place}: checkpoint and config.yaml do not belong together") from error
    return model
