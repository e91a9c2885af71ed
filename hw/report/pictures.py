"""Which pictures a run has: those whose numbers its log holds."""

from collections.abc import Callable, Iterator
from functools import partial

from hw.networks.exponents import together
from hw.networks.space import Genotype
from hw.report import architecture, arms, cell, curves, inside
from hw.report.comparison import Comparison
from hw.report.folder import Content, Run
from hw.report.log import Log
from hw.report.operations import in_words
from hw.report.plotting import Picture

SEED_FIELDS = (
    # field of the log, factor, label of the axis, title
    ("accuracy", 100.0, "accuracy on training images (%)", "Training accuracy of all seeds"),
    ("held_out_accuracy", 100.0, "accuracy on held-out images (%)", "Held-out accuracy"),
    ("validation_accuracy", 100.0, "accuracy on validation images (%)", "Validation accuracy"),
    ("loss", 1.0, "loss on training images (cross entropy)", "Training loss of all seeds"),
)

ARM_FIELDS = (
    # field of a training's log, factor, label of the axis, title
    ("validation_accuracy", 100.0, "accuracy on validation images (%)", "Validation accuracy"),
    ("accuracy", 100.0, "accuracy on training images (%)", "Training accuracy"),
    ("loss", 1.0, "loss on training images (cross entropy)", "Training loss"),
)


def every(content: Content) -> list[Picture]:
    """All pictures of a folder, as files of these names."""
    found = [] if content.genotype is None else list(cells(content.genotype))
    for run in content.runs:
        found += [*of_curves(run), *of_architecture(run), *of_inside(run)]
    found += of_seeds(content)
    if content.comparison is not None:
        found += of_comparison(content.comparison)
    for name, run in content.seeds.items():
        if run.genotype is not None:
            found += cells(run.genotype, f"{name}-")
    return found


def cells(genotype: Genotype, prefix: str = "") -> Iterator[Picture]:
    """Both cells, with their operations in words."""
    for title, name, reduction in (
        ("Normal cell", "cell-normal", False),
        ("Reduction cell", "cell-reduction", True),
    ):
        edges, concat = genotype.edges(reduction), genotype.concat(reduction)
        yield Picture(
            f"{prefix}{name}", title, partial(cell.draw, edges, concat), in_words(edges), wide=True
        )


def of_curves(run: Run) -> Iterator[Picture]:
    """Learning rate, accuracy, loss, temperature: each where it was logged."""
    log, prefix = run.log, _prefix(run)
    # A search trains a supernet; no figure of it is one of the network that it finds.
    whose = " of the supernet" if run.kind == "search" else ""
    accuracy = any(log.has(key) for key in ("accuracy", "held_out_accuracy", "validation_accuracy"))
    for known, name, title, draw in (
        (accuracy, "accuracy", f"Accuracy{whose}", curves.accuracy),
        (log.has("loss"), "loss", f"Loss{whose}", curves.loss),
        (log.has("lr"), "learning-rate", "Learning rate", curves.learning_rate),
        (log.has("temperature"), "temperature", "Temperature", curves.temperature),
    ):
        if known:
            yield Picture(f"{prefix}-{name}", title, partial(draw, log))


def of_architecture(run: Run) -> Iterator[Picture]:
    """alpha, gamma and beta over the epochs."""
    log, prefix = run.log, _prefix(run)
    if architecture.has_architecture(log):
        yield Picture(
            f"{prefix}-strongest-operations",
            "Strongest operation of each edge",
            partial(architecture.strongest_operations, log),
            "Colour: the operation; the fuller, the larger its share. Where convolutions and "
            "operations without weights have a softmax each, the upper half of a row is the "
            "strongest convolution, the lower half the strongest of the others.",
            wide=True,
        )
        for number, title in enumerate(architecture.CELLS):
            yield Picture(
                f"{prefix}-alpha-{title.split()[0]}",
                f"Operation weights α, {title}",
                partial(architecture.operation_shares, log, number),
                "A row a node, a column a state that it reads.",
                wide=True,
            )
    if architecture.has_architecture(log, "gamma"):
        yield Picture(
            f"{prefix}-gamma",
            "Edge weights γ",
            partial(architecture.edge_weights, log),
            "The weight of every edge into a node.",
            wide=True,
        )
    if architecture.has_architecture(log, "beta"):
        yield Picture(
            f"{prefix}-beta",
            "Topology weights β",
            partial(architecture.pair_weights, log),
            "Dark: the pair of edges that the title names, the strongest at the end; grey: the "
            "other pairs.",
            wide=True,
        )


def of_inside(run: Run) -> Iterator[Picture]:
    """Weights over exponents, classes taken for others: of a training that is done."""
    if run.inside is None:
        return
    layers, counts, prefix = run.inside.exponents, run.inside.confusion, _prefix(run)
    if layers:
        whole = together(layers.values())
        yield Picture(
            f"{prefix}-exponents",
            "Weights over exponents",
            partial(inside.exponents, layers),
            f"{whole.weights:,} weights, {100 * whole.zero_share:.1f} % of them 0: those take no "
            "addition.",
        )
    yield Picture(
        f"{prefix}-confusion",
        "Which classes are taken for which",
        partial(inside.confusion, counts, run.class_names),
        f"{counts.sum():,} {run.metrics.get('split', 'test')} images.",
    )
    if layers:
        yield Picture(
            f"{prefix}-exponents-by-layer",
            "Weights over exponents, layer by layer",
            partial(inside.exponents_by_layer, layers),
            "The share of a layer's weights that are 0, or ±2^p.",
            wide=True,
        )


def of_seeds(content: Content) -> list[Picture]:
    """Curves of all seeds over each other."""
    logs = {name: run.log for name, run in content.seeds.items() if len(run.log)}
    return [
        Picture(f"seeds-{key.replace('_', '-')}", title, _overlay(logs, key, factor, label))
        for key, factor, label, title in SEED_FIELDS
        if logs and all(log.has(key) for log in logs.values())
    ]


def of_comparison(comparison: Comparison) -> Iterator[Picture]:
    """Of each domain: accuracies, differences to the baseline, training curves by arm."""
    content = comparison.content
    for domain in comparison.domains:
        of = f", {domain} weights" if len(content["domains"]) > 1 else ""
        known = {arm: comparison.accuracies(arm, domain) for arm in comparison.arms}
        split = content["split"]
        yield Picture(
            f"compare-{split}-accuracy-{domain}",
            f"{split.capitalize()} accuracy{of}",
            partial(arms.accuracies, known, split),
        )
        found = comparison.differences(domain)
        if found:
            draw = partial(arms.differences, found, content["baseline"], content["confidence"])
            title = f"Difference to {content['baseline']} in {split} accuracy{of}"
            yield Picture(f"compare-difference-{domain}", title, draw)
        logs = {
            arm: comparison.logs[arm, domain]
            for arm in comparison.arms
            if (arm, domain) in comparison.logs
        }
        for key, factor, label, title in ARM_FIELDS:
            if all(log.has(key) for of_arm in logs.values() for log in of_arm):
                yield Picture(
                    f"compare-curves-{key.replace('_', '-')}-{domain}",
                    f"{title}{of}",
                    partial(arms.bands, logs, key, factor, label),
                    "Mean of each arm's trainings; shaded: a sample standard deviation.",
                )


def _overlay(logs: dict[str, Log], key: str, factor: float, label: str) -> Callable:
    return partial(curves.overlay, logs, key, factor, label)


def _prefix(run: Run) -> str:
    return "search" if run.kind == "search" else "training"
