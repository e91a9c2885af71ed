"""What is compared, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hw.networks.conventional import Conventional
from hw.networks.space import Genotype
from nas.config import Config


@dataclass(frozen=True)
class Arm:
    """One row of the table: where architectures come from.

    Parameters
    ----------
    strategy: that searches them; None where the genotype, or a conventional network, is given
    genotype, genotype_name: that is given, and how the file calls it
    model: the conventional network that is given
    seeds: of search and training alike
    search_domain: weights of the supernet, "shift" or "real"
    search: settings of the searches
    train: domain of the weights trained -> settings of the trainings
    """

    name: str
    strategy: str | None
    genotype: Genotype | None
    genotype_name: str | None
    seeds: tuple[int, ...]
    search_domain: str
    search: Config
    train: Mapping[str, Config]
    model: Conventional | None = None


@dataclass(frozen=True)
class Hardware:
    """What the networks are planned for. `board`: a name or "none"; `luts`: see `plan --luts`."""

    board: str
    luts: int | None = None


@dataclass(frozen=True)
class Spec:
    """A comparison.

    Parameters
    ----------
    text: of the file
    data: name or path of the data set
    arms: by name, in the order of the table
    baseline: the arm that the others are compared with
    hardware: None: networks are not exported
    unequal: domain -> setting of the training -> arm -> value, of the settings that differ;
        empty where all networks are trained alike
    between_domains: arm -> setting of the training -> domain -> value, of the settings in which the
        trainings of an arm in its domains differ
    """

    text: str
    data: str
    arms: Mapping[str, Arm]
    baseline: str
    hardware: Hardware | None
    unequal: Mapping[str, Mapping[str, Mapping[str, Any]]]
    between_domains: Mapping[str, Mapping[str, Mapping[str, Any]]]

    @property
    def domains(self) -> list[str]:
        """Of all trainings, in the order of the file."""
        return list(dict.fromkeys(domain for arm in self.arms.values() for domain in arm.train))
