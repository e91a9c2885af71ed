"""The search: one loop over the stages of any strategy (paper section 4.2, appendix A)."""

from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, assert_never

import torch
from torch import Tensor
from torch.nn import functional

from hw import plugins
from hw.console import Progress, progress
from hw.data import Dataset, ImageFolder
from hw.errors import InputError
from hw.networks.cells import skeleton
from hw.networks.space import Genotype
from nas import distributed
from nas.batches import Augmentation, ImageSet, halves, steps_of
from nas.bilevel import first_order, second_order
from nas.cell import Candidates, Chosen
from nas.config import Config
from nas.events import require_tensorboard
from nas.journal import Journal
from nas.meter import Meter
from nas.model import image_tensor
from nas.norm import normalise_apart
from nas.optimise import ShiftOptimiser, StepSettings, cosine
from nas.precision import autocast
from nas.runs import Run, restore_random_state, set_up
from nas.shift import Domain, Layer
from nas.sources import (
    load_images,
    note_large_batch,
    open_data,
    record_data,
    require_learnable,
)
from nas.strategies import answers
from nas.strategies.registry import make_strategy
from nas.strategies.strategy import Architecture, Level, Moment, Stage
from nas.supernet import Supernet
from nas.task import Task


def search(
    data: str,
    out: str | Path,
    config: Config,
    *,
    domain: str = "shift",
    resume: bool = False,
    force: bool = False,
    tensorboard: bool = False,
) -> Genotype:
    """Search a genotype on a data set's training images and write the run; returns the genotype.

    The run's folder holds config.yaml, genotype.yaml, log.jsonl and checkpoint.pt, brought up to
    date after every epoch; a run cut short goes on with `resume` and ends as it would have.
    """
    if domain == Domain.SHIFT and config.shift.layer == Layer.INQ:
        raise InputError(
            "shift.layer: inq: a stage of the search is too short to freeze weights share by "
            "share; search with ps or q, then train with inq"
        )
    if tensorboard:
        require_tensorboard()
    make_strategy(config.search)  # refused, if it is, before a folder is begun
    training = open_data(data, "train", config)
    require_learnable(training, data)
    device = distributed.join(set_up(config))
    distributed.require_shares(config.search.batch, "search.batch")
    task = Task(
        "search",
        record_data(data, train=training),
        config,
        domain=domain,
        plugins=plugins.loaded(),
    )
    with closing(Run.start(out, task, resume=resume, force=force)) as run:
        with closing(Journal(run, device, tensorboard)) as journal:
            genotype = _Searcher(journal, training, device).run_stages()
        run.write_genotype(genotype)
    return genotype


@dataclass
class _Active:
    """A stage under way: its supernet, its architecture, their optimisers."""

    index: int
    plan: Stage
    net: Supernet
    architecture: Architecture
    optimiser: ShiftOptimiser
    arch_optimiser: torch.optim.Optimizer | None
    """None where the architecture has nothing to train."""
    precision: str


class _Searcher:
    def __init__(self, journal: Journal, training: Dataset | ImageFolder, device: torch.device):
        self.journal, run = journal, journal.run
        self.run, self.device, self.training = run, device, training
        self.config = run.task.config.search
        torch.manual_seed(run.task.config.seed)
        self.images = load_images(
            training, device, self.config.images, run.task.config.folder.workers
        )
        # The same halves after a resumption: drawn here, before anything else is.
        self.halves = halves(self.images)
        self.strategy = make_strategy(self.config)
        self.augment = Augmentation(self.config.crop, self.config.flip, self.config.cutout)

    # --- stages --------------------------------------------------------------------------

    def run_stages(self) -> Genotype:
        stages, state = self.strategy.stages, self.journal.resume()
        index, candidates = 0, self.strategy.start
        if state is not None:
            index, candidates = state["stage"], _tupled(state["candidates"])
        steps = [
            self._steps(stage, epoch)
            for stage in stages
            for epoch in range(stage.warmup + stage.epochs)
        ]
        halved = any(stage.half(epoch) for stage in stages for epoch in (0, stage.warmup))
        fewest = len(self.halves[0] if halved else self.images)
        note_large_batch("search.batch", self.config.batch, fewest)
        with progress("search", sum(steps), sum(steps[: len(self.journal.log)])) as bar:
            while True:
                active = self._begin(index, candidates)
                if state is not None:
                    self._restore(active, state)
                    state = None
                self._run(active, bar)
                evaluate = partial(self._evaluate, active)
                index += 1
                if index == len(stages):
                    return answers.choose(self.strategy, active.architecture, evaluate)
                candidates = answers.retained(self.strategy, active.architecture, evaluate)

    def _images(self, stage: Stage, epoch: int) -> tuple[ImageSet, ImageSet]:
        """Images of the weights and of the architecture."""
        return self.halves if stage.half(epoch) else (self.images, self.images)

    def _steps(self, stage: Stage, epoch: int) -> int:
        return steps_of(len(self._images(stage, epoch)[0]), self.config.batch, True)

    def _moment(self, stage: Stage, epoch: int, index: int) -> Moment:
        return stage.moment(epoch, index, partial(self._steps, stage))

    def _begin(self, index: int, candidates: Candidates) -> _Active:
        """A stage with new weights and new optimisers."""
        config, task = self.config, self.run.task
        plan = self.strategy.stages[index]
        architecture = answers.architecture(self.strategy, index, candidates).to(self.device)
        frame = skeleton(
            channels=config.channels,
            cells=plan.cells or config.cells,
            image=self.training.image_shape,
            classes=self.training.classes,
            concat=(config.nodes, config.nodes),
        )
        net = Supernet(frame, architecture.candidates, task.config.shift, task.domain)
        net = net.to(self.device)
        if not task.config.sync_batch_norm:
            normalise_apart(net)
        parameters = list(architecture.parameters())
        return _Active(
            index=index,
            plan=plan,
            net=net,
            architecture=architecture,
            optimiser=ShiftOptimiser(net, config.lr, StepSettings.of(config), task.config.shift),
            arch_optimiser=torch.optim.Adam(
                parameters,
                lr=config.arch_lr,
                betas=(plan.arch_beta, 0.999),
                weight_decay=config.arch_decay,
            )
            if parameters
            else None,
            precision=task.config.precision,
        )

    # --- epochs --------------------------------------------------------------------------

    def _run(self, active: _Active, bar: Progress) -> None:
        plan = active.plan
        done = sum(entry["stage"] == plan.name for entry in self.journal.log)
        for epoch in range(done, plan.warmup + plan.epochs):
            with self.journal.epoch(plan.name, epoch, plan.warmup + plan.epochs) as entry:
                entry["strategy"] = self.strategy.name
                entry["phase"] = "warm-up" if epoch < plan.warmup else "search"
                entry["lr"] = self._lr(active, self._moment(plan, epoch, 0))
                entry |= self._epoch(active, epoch, bar)
                last = self._steps(plan, epoch) - 1
                entry |= self._standing(active, self._moment(plan, epoch, last))
            self.journal.keep(self._state(active))

    def _standing(self, active: _Active, moment: Moment) -> dict[str, Any]:
        """What the log says of the architecture."""
        shares = active.architecture.shares(moment)
        heat = {"temperature": shares.pop("temperature")} if "temperature" in shares else {}
        return {**heat, "architecture": shares}

    def _lr(self, active: _Active, moment: Moment) -> float:
        """Learning rate of a step: reset at the stage's start, or one cosine over all."""
        if self.config.lr_reset:
            return cosine(self.config.lr, moment.step, moment.steps)
        lengths = [self._moment(stage, 0, 0).steps for stage in self.strategy.stages]
        return cosine(self.config.lr, sum(lengths[: active.index]) + moment.step, sum(lengths))

    def _epoch(self, active: _Active, epoch: int, bar: Progress) -> dict[str, float]:
        plan = active.plan
        searching = epoch >= plan.warmup and active.arch_optimiser is not None
        active.net.train()
        images, held_out_images = self._images(plan, epoch)
        meter, held_out = Meter(self.device), None
        one_level = False
        match plan.level:
            case Level.BILEVEL:
                held_out = Meter(self.device) if searching else None
            case Level.ONE_LEVEL:
                one_level = searching
            case Level.WEIGHTS:
                pass
            case _:
                assert_never(plan.level)
        held_out_batches = self._endless(held_out_images)
        first = self._moment(plan, epoch, 0)
        for index, batch in enumerate(self._batches(images)):
            moment = replace(first, step=first.step + index)
            active.net.skip_dropout = active.architecture.skip_dropout(moment)
            active.optimiser.set_lr(self._lr(active, moment))
            if held_out is not None:
                self._architecture_step(active, moment, batch, next(held_out_batches), held_out)
            self._step(active, moment, batch, meter, one_level)
            bar.advance(1, f"{plan.name}, {meter.note}")
        figures = {"loss": meter.loss, "accuracy": meter.accuracy}
        if held_out is not None:
            figures |= {"held_out_loss": held_out.loss, "held_out_accuracy": held_out.accuracy}
        return figures

    def _batches(self, images: ImageSet) -> Iterator[tuple[Tensor, Tensor]]:
        """Images as of `nas.model.image_tensor`, changed at random, and labels."""
        for pixels, labels in images.batches(self.config.batch, shuffle=True):
            yield self.augment(pixels), labels

    def _endless(self, images: ImageSet) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from self._batches(images)

    def _step(
        self,
        active: _Active,
        moment: Moment,
        batch: tuple[Tensor, Tensor],
        meter: Meter,
        one_level: bool,
    ) -> None:
        """A step of the weights, with `one_level` of the architecture too."""
        active.optimiser.zero_grad()
        if one_level:
            assert active.arch_optimiser is not None
            active.arch_optimiser.zero_grad()
        with nullcontext() if one_level else torch.no_grad():
            mixture = active.architecture.mixture(moment)
        loss, logits = _loss(active, batch, mixture)
        loss.backward()
        active.optimiser.step()
        if one_level:
            assert active.arch_optimiser is not None
            _average_gradients(active.architecture)
            active.arch_optimiser.step()
        meter.update(loss.detach(), logits, batch[1])

    def _architecture_step(
        self,
        active: _Active,
        moment: Moment,
        batch: tuple[Tensor, Tensor],
        held_out: tuple[Tensor, Tensor],
        meter: Meter,
    ) -> None:
        """The bilevel step of the architecture on held-out images (eq. 5)."""
        mixture = active.architecture.mixture
        parameters = list(active.architecture.parameters())
        seen: list[Tensor] = []

        def held_out_loss() -> Tensor:
            loss, logits = _loss(active, held_out, mixture(moment))
            seen.append(logits.detach())
            return loss

        if active.plan.order == 1:
            loss = first_order(held_out_loss, parameters)
        else:
            loss = second_order(
                held_out_loss,
                lambda: _loss(active, batch, mixture(moment))[0],
                parameters,
                list(active.net.parameters()),
                active.optimiser,
            )
        assert active.arch_optimiser is not None
        active.arch_optimiser.step()
        meter.update(loss, seen[-1], held_out[1])

    @torch.no_grad()
    def _evaluate(
        self, active: _Active, coefficients: Tensor, chosen: Chosen | None = None
    ) -> float:
        """Accuracy of a mixture on the held-out images, batch norms of each batch's statistics."""
        meter = Meter(self.device)
        active.net.train()
        _, held_out = self._images(active.plan, active.plan.warmup)
        for pixels, labels in held_out.batches(self.config.batch):
            logits = active.net(image_tensor(pixels), coefficients, chosen)
            meter.update(functional.cross_entropy(logits, labels), logits, labels)
        return meter.accuracy

    # --- checkpoints ---------------------------------------------------------------------

    def _state(self, active: _Active) -> dict[str, Any]:
        arch_optimiser = active.arch_optimiser
        return {
            "stage": active.index,
            "candidates": active.architecture.candidates,
            "net": active.net.state_dict(),
            "architecture": active.architecture.state_dict(),
            "optimiser": active.optimiser.state_dict(),
            "arch_optimiser": arch_optimiser.state_dict() if arch_optimiser else None,
        }

    def _restore(self, active: _Active, state: dict[str, Any]) -> None:
        active.net.load_state_dict(state["net"])
        active.architecture.load_state_dict(state["architecture"])
        active.optimiser.load_state_dict(state["optimiser"])
        if active.arch_optimiser is not None:
            active.arch_optimiser.load_state_dict(state["arch_optimiser"])
        restore_random_state(state["random"], self.device)


def _average_gradients(architecture: Architecture) -> None:
    parameters = list(architecture.parameters())
    averages = distributed.averages([p.grad for p in parameters])
    for parameter, average in zip(parameters, averages, strict=True):
        parameter.grad = average


def _loss(
    active: _Active, batch: tuple[Tensor, Tensor], mixture: tuple[Tensor, Chosen | None]
) -> tuple[Tensor, Tensor]:
    """Cross entropy and logits of a batch."""
    images, labels = batch
    with autocast(images.device, active.precision):
        logits = active.net(images, *mixture)
    logits = logits.float()
    return functional.cross_entropy(logits, labels), logits


def _tupled(value: Any) -> Any:
    """Nested lists and tuples as tuples."""
    return tuple(_tupled(v) for v in value) if isinstance(value, list | tuple) else value
