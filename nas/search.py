"""Search of a genotype: operation search, then topology search (paper section 4.2, appendix A)."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hw import data as datasets
from hw.console import Progress, progress
from hw.data import Dataset
from hw.errors import InputError
from hw.space import Genotype, skeleton
from nas.architecture import Candidates, OperationArchitecture, TopologyArchitecture
from nas.batches import Images, halves, load_images, steps_of
from nas.config import Config, SearchConfig
from nas.model import image_tensor
from nas.optimise import ShiftOptimiser, StepSettings, cosine, gradients_of
from nas.runs import Run, Task, pick_device, random_state, restore_random_state
from nas.supernet import Supernet

ADAM_BETAS = (0.5, 0.999)
"""Of the architecture optimisers, as in the lineage of the paper's method."""


def temperature(config: SearchConfig, epoch: int) -> float:
    """T of eq. 12 in epoch `epoch` (from 0) of the topology search: T0·theta**t."""
    last = max(1, config.topology_epochs - 1)
    ratio = config.temperature_end / config.temperature_start
    return config.temperature_start * ratio ** (max(0, epoch) / last)


def search(
    data: str, out: str | Path, config: Config, *, resume: bool = False, force: bool = False
) -> Genotype:
    """Search a genotype on a data set's training images and write the run; returns the genotype.

    The run's folder holds config.yaml, genotype.yaml, log.jsonl and checkpoint.pt, brought up to
    date after every epoch; a run cut short goes on with `resume` and ends as it would have.
    """
    if config.shift.layer == "inq":
        raise InputError(
            "shift.layer: inq: a stage of the search is too short to freeze weights share by "
            "share; search with ps or q, then train with inq"
        )
    training = datasets.load(data, "train")
    device = pick_device(config.device)
    run = Run.start(out, Task("search", data, config), resume=resume, force=force)
    searcher = _Searcher(run, training, device)
    genotype = searcher.run_stages()
    run.write_genotype(genotype)
    return genotype


@dataclass
class _Stage:
    """One of the two stages: its supernet, its architecture parameters, their optimisers."""

    name: str
    net: Supernet
    architecture: OperationArchitecture | TopologyArchitecture
    optimiser: ShiftOptimiser
    arch_optimiser: torch.optim.Optimizer
    warmup: int
    epochs: int

    def coefficients(self, temperature: float) -> Tensor:
        if isinstance(self.architecture, OperationArchitecture):
            return self.architecture.coefficients()
        return self.architecture.coefficients(temperature)


class _Searcher:
    def __init__(self, run: Run, training: Dataset, device: torch.device):
        self.run, self.device = run, device
        self.config = run.task.config.search
        torch.manual_seed(run.task.config.seed)
        self.images = load_images(training, device, self.config.images)
        self.skeleton = skeleton(
            channels=self.config.channels,
            cells=self.config.cells,
            image=training.image_shape,
            classes=training.classes,
        )
        # The same halves after a resumption: drawn here, before anything else is.
        self.parts = halves(self.images) if self.config.bilevel else (self.images, self.images)
        self.log: list[dict[str, Any]] = []

    # --- stages --------------------------------------------------------------------------

    def run_stages(self) -> Genotype:
        config, state = self.config, self.run.load()
        first = config.operation_warmup + config.operation_epochs
        operation_steps = steps_of(len(self.parts[0]), config.batch, True)
        topology_steps = steps_of(len(self.images), config.batch, True)
        second = config.topology_warmup + config.topology_epochs
        total = first * operation_steps + second * topology_steps
        stage = self._operation_stage()
        if state is not None:
            self.log = state["log"]
            if state["stage"] == "topology":
                stage = self._topology_stage(_tupled(state["candidates"]))
            self._restore(stage, state)
        with progress("search", total) as bar:
            for entry in self.log:
                bar.advance(operation_steps if entry["stage"] == "operation" else topology_steps)
            if stage.name == "operation":
                self._run(stage, operation_steps, bar)
                assert isinstance(stage.architecture, OperationArchitecture)
                stage = self._topology_stage(stage.architecture.retained())
            self._run(stage, topology_steps, bar)
        assert isinstance(stage.architecture, TopologyArchitecture)
        return stage.architecture.genotype()

    def _operation_stage(self) -> _Stage:
        config = self.config
        architecture = OperationArchitecture(config.zero)
        warmup, epochs = config.operation_warmup, config.operation_epochs
        return self._stage("operation", architecture, warmup, epochs)

    def _topology_stage(self, candidates: Candidates) -> _Stage:
        config = self.config
        architecture = TopologyArchitecture(
            candidates, config.alpha_temperature, config.scale_edges
        )
        return self._stage("topology", architecture, config.topology_warmup, config.topology_epochs)

    def _stage(self, name: str, architecture: Any, warmup: int, epochs: int) -> _Stage:
        """A stage with new weights and new optimisers."""
        config, shift = self.config, self.run.task.config.shift
        net = Supernet(self.skeleton, architecture.candidates, shift).to(self.device)
        architecture.to(self.device)
        settings = StepSettings(
            config.weight_decay,
            config.regularisation,
            config.clip,
            config.optimiser,
            config.momentum,
        )
        return _Stage(
            name=name,
            net=net,
            architecture=architecture,
            optimiser=ShiftOptimiser(net, config.lr, settings, shift),
            arch_optimiser=torch.optim.Adam(
                architecture.parameters(),
                lr=config.arch_lr,
                betas=ADAM_BETAS,
                weight_decay=config.arch_decay,
            ),
            warmup=warmup,
            epochs=epochs,
        )

    # --- epochs --------------------------------------------------------------------------

    def _run(self, stage: _Stage, steps: int, bar: Progress) -> None:
        done = sum(entry["stage"] == stage.name for entry in self.log)
        for epoch in range(done, stage.warmup + stage.epochs):
            start = time.monotonic()
            searching = epoch >= stage.warmup
            heat = temperature(self.config, epoch - stage.warmup)
            loss, accuracy = self._epoch(stage, epoch, steps, searching, heat, bar.advance)
            entry = {
                "stage": stage.name,
                "phase": "search" if searching else "warm-up",
                "epoch": epoch + 1,
                "epochs": stage.warmup + stage.epochs,
                "lr": self._lr(stage, epoch),
                "loss": loss,
                "accuracy": accuracy,
                "seconds": round(time.monotonic() - start, 2),
            }
            if stage.name == "topology":
                entry["temperature"] = heat
            self.log.append(entry)
            self._record(stage)

    def _lr(self, stage: _Stage, epoch: int) -> float:
        """Learning rate of a stage's epoch: reset at the stage's start, or one cosine over both."""
        config = self.config
        if config.lr_reset:
            return cosine(config.lr, epoch, stage.warmup + stage.epochs)
        first = config.operation_warmup + config.operation_epochs
        total = first + config.topology_warmup + config.topology_epochs
        return cosine(config.lr, epoch + (first if stage.name == "topology" else 0), total)

    def _epoch(
        self,
        stage: _Stage,
        epoch: int,
        steps: int,
        searching: bool,
        heat: float,
        advance: Callable[..., None],
    ) -> tuple[float, float]:
        stage.net.train()
        stage.optimiser.set_lr(self._lr(stage, epoch))
        bilevel = searching and stage.name == "operation"
        one_level = searching and stage.name == "topology"
        held_out = _endless(self.parts[1], self.config.batch) if bilevel else None
        images = self.parts[0] if stage.name == "operation" else self.images
        parameters = list(stage.architecture.parameters())
        total, right, seen = 0.0, 0, 0
        for pixels, labels in images.batches(self.config.batch, shuffle=True):
            if held_out is not None:
                self._architecture_step(stage, parameters, *next(held_out))
            stage.optimiser.zero_grad()
            coefficients = stage.coefficients(heat)
            logits = stage.net(
                image_tensor(pixels), coefficients if one_level else coefficients.detach()
            )
            loss = functional.cross_entropy(logits, labels)
            if one_level:
                stage.arch_optimiser.zero_grad()
            loss.backward()
            stage.optimiser.step()
            if one_level:
                stage.arch_optimiser.step()
            total += float(loss.detach()) * len(labels)
            right += int((logits.argmax(1) == labels).sum())
            seen += len(labels)
            advance(1, f"{stage.name}, loss {total / seen:.3f}, accuracy {right / seen:.3f}")
        return total / seen, right / seen

    def _architecture_step(
        self, stage: _Stage, parameters: list[nn.Parameter], pixels: Tensor, labels: Tensor
    ) -> None:
        """alpha on the held-out half, first order (eq. 5), without the weights' gradients."""
        logits = stage.net(image_tensor(pixels), stage.coefficients(1.0))
        gradients_of(functional.cross_entropy(logits, labels), parameters)
        stage.arch_optimiser.step()

    # --- checkpoints ---------------------------------------------------------------------

    def _record(self, stage: _Stage) -> None:
        self.run.write_log(self.log)
        self.run.save(
            {
                "stage": stage.name,
                "candidates": stage.architecture.candidates,
                "net": stage.net.state_dict(),
                "architecture": stage.architecture.state_dict(),
                "optimiser": stage.optimiser.state_dict(),
                "arch_optimiser": stage.arch_optimiser.state_dict(),
                "random": random_state(self.device),
                "log": self.log,
            }
        )

    def _restore(self, stage: _Stage, state: dict[str, Any]) -> None:
        stage.net.load_state_dict(state["net"])
        stage.architecture.load_state_dict(state["architecture"])
        stage.optimiser.load_state_dict(state["optimiser"])
        stage.arch_optimiser.load_state_dict(state["arch_optimiser"])
        restore_random_state(state["random"], self.device)


def _endless(images: Images, batch: int) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from images.batches(batch, shuffle=True)


def _tupled(value: Any) -> Any:
    """Nested lists and tuples as tuples."""
    return tuple(_tupled(v) for v in value) if isinstance(value, list | tuple) else value
