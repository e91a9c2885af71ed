"""What is compared: a YAML file, read strictly. docs/search.md has an example and every field."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from hw import data as datasets
from hw import documents
from hw.board.boards import device
from hw.data import NAMES
from hw.errors import InputError
from hw.networks import genotypes
from hw.networks.conventional import OF_CELLS, Conventional
from hw.networks.space import Genotype
from nas.compare.comparison import Arm, Hardware, Spec
from nas.config import MAX_SEED, PRESETS, Config, load_config
from nas.decisive import decisive
from nas.origin import Origin
from nas.shift import Layer
from nas.strategies.registry import STRATEGIES

DOMAINS = ("shift", "real")

FIELDS = ("data", "config", "set", "seeds", "domains", "arms", "baseline", "equal_training",
          "hardware")  # fmt: skip
ARM_FIELDS = ("strategy", "genotype", "model", "width", "set", "seeds", "search_domain",
              "domains")  # fmt: skip
SOURCES = ("strategy", "genotype", "model")
"""Where an arm's networks come from: one of these fields."""
HARDWARE_FIELDS = ("board", "luts")

MOST_SEEDS = 1000
"""Of one arm, where their number is given."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def load(path: Path, data: str | None = None) -> Spec:
    """The comparison in a file; `data` stands for the file's own.

    Paths in it are relative to its folder.

    Raises
    ------
    InputError: naming file, line and field
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: expected a YAML file that says what to compare; {documents.reason(error)}"
        ) from error
    try:
        values = documents.load_yaml(text)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {documents.reason(error)}") from error
    return _Reader(path, text).spec(values, data)


class _Reader:
    def __init__(self, path: Path, text: str):
        self.path, self.text = path, text
        self.where = Origin.of_yaml(str(path), text)

    def wrong(self, name: str, message: str) -> InputError:
        return InputError(f"{self.where.at(name)}: {message}")

    def spec(self, values: Any, data: str | None) -> Spec:
        top = self._section("", values, FIELDS)
        data = data or self._data(top)
        domains = self._domains(top.get("domains"))
        seeds = top.get("seeds", 1)
        arms = {
            name: self._arm(name, value, top, seeds, domains)
            for name, value in self._mapping("arms", top.get("arms")).items()
        }
        self._require_folders(arms)
        if len(arms) < 2:
            raise self.wrong("arms", f"expected two or more to compare, found {len(arms)}")
        baseline = top.get("baseline", next(iter(arms)))
        if baseline not in arms:
            raise self.wrong(
                "baseline", f"expected one of the arms {', '.join(arms)}, found {baseline!r}"
            )
        unequal = _unequal(arms)
        equal = top.get("equal_training", True)
        if not isinstance(equal, bool):
            raise self.wrong("equal_training", f"expected true or false, found {equal!r}")
        if equal:
            self._require_equal(unequal)
        hardware = self._hardware(top.get("hardware"))
        between = {name: _differing(arm.train) for name, arm in arms.items()}
        between = {name: settings for name, settings in between.items() if settings}
        return Spec(self.text, data, arms, baseline, hardware, unequal, between)

    # --- the parts -----------------------------------------------------------------------

    def _data(self, top: Mapping[str, Any]) -> str:
        data = top.get("data")
        if not isinstance(data, str):
            raise self.wrong("data", f"expected the name or folder of a data set, found {data!r}")
        place = self._place(data, NAMES)
        try:
            datasets.splits(place)
        except InputError as error:
            raise self.wrong("data", str(error).removeprefix("data: ")) from error
        return place

    def _place(self, name: str, known: Collection[str]) -> str:
        """A known name, or a path beside the file if there is one, else as it is."""
        beside = self.path.parent / name
        return str(beside) if name not in known and beside.exists() else name

    def _domains(self, value: Any) -> Mapping[str, Any]:
        """Domain -> settings of its trainings."""
        if value is None:
            return {"shift": {}}
        found = self._section("domains", value, DOMAINS)
        if not found:
            raise self.wrong("domains", f"expected {' or '.join(DOMAINS)}, found none")
        for name, settings in found.items():
            for key in self._mapping(f"domains.{name}", {} if settings is None else settings):
                if key in ("search", "seed"):
                    raise self.wrong(
                        f"domains.{name}.{key}", "settings of a domain are of its trainings alone"
                    )
            self._require_common(f"domains.{name}", settings or {})
        return {name: settings or {} for name, settings in found.items()}

    def _arm(
        self,
        name: str,
        value: Any,
        top: Mapping[str, Any],
        seeds: Any,
        domains: Mapping[str, Any],
    ) -> Arm:
        at = f"arms.{name}"
        if not _NAME.fullmatch(name):
            raise self.wrong(at, "expected a name of letters, digits, - and _: it names a folder")
        fields = self._section(at, value, ARM_FIELDS)
        strategy, genotype_name = fields.get("strategy"), fields.get("genotype")
        if sum(fields.get(key) is not None for key in SOURCES) != 1:
            raise self.wrong(at, f"expected one of {', '.join(SOURCES)}")
        genotype, settings = None, self._mapping(f"{at}.set", fields.get("set", {}))
        model = self._model(at, fields)
        own: dict[str, Any] = {}
        if strategy is not None:
            self._choice(f"{at}.strategy", strategy, STRATEGIES)
            if isinstance(settings.get("search"), dict) and "strategy" in settings["search"]:
                raise self.wrong(f"{at}.set.search.strategy", f"{at}.strategy says it already")
            own = {"search": {"strategy": strategy}}
        else:
            if genotype_name is not None:
                genotype = self._genotype(f"{at}.genotype", genotype_name)
            for field in ("search_domain", "set.search"):
                if field in fields or ("search" in settings and field == "set.search"):
                    raise self.wrong(f"{at}.{field}", "of a network that is given: no search")
        if "seed" in settings:
            raise self.wrong(f"{at}.set.seed", f"seeds of an arm are in {at}.seeds")
        self._require_common(f"{at}.set", settings)
        search = self._config(top, (f"{at}.strategy", own), (f"{at}.set", settings))
        trained = self._trained(f"{at}.domains", fields.get("domains"), domains)
        train = {
            domain: self._config(
                top, (f"{at}.set", settings), (f"domains.{domain}", domains[domain])
            )
            for domain in trained
        }
        if model is not None:
            self._require_no_cells(at, settings, train)
        search_domain = fields.get("search_domain", "shift")
        self._choice(f"{at}.search_domain", search_domain, DOMAINS)
        if strategy is not None and search_domain == "shift" and search.shift.layer == Layer.INQ:
            raise self.wrong(
                f"{at}.set" if "set" in fields else at,
                "shift.layer: inq does not search; set it for the training, in domains.shift",
            )
        own_seeds = "seeds" in fields
        return Arm(
            name=name,
            strategy=strategy,
            genotype=genotype,
            genotype_name=genotype_name,
            seeds=self._seeds(
                f"{at}.seeds" if own_seeds else "seeds",
                fields["seeds"] if own_seeds else seeds,
                search.seed,
            ),
            search_domain=search_domain,
            search=search,
            train=train,
            model=model,
        )

    def _model(self, at: str, fields: Mapping[str, Any]) -> Conventional | None:
        """The conventional network of an arm, if it has one."""
        if fields.get("model") is None:
            if "width" in fields:
                raise self.wrong(f"{at}.width", "of a model: there is none beside it")
            return None
        try:
            return Conventional(fields["model"], fields.get("width", 1.0))
        except InputError as error:
            field, _, reason = str(error).partition(": ")
            raise self.wrong(f"{at}.{field}", reason) from error

    def _require_no_cells(
        self, at: str, settings: Mapping[str, Any], trainings: Mapping[str, Config]
    ) -> None:
        """InputError where a conventional arm is told what only networks of cells have."""
        own = settings.get("train")
        for key in OF_CELLS:
            if isinstance(own, dict) and key in own:
                raise self.wrong(
                    f"{at}.set.train.{key}", "of networks of cells; a model has its width alone"
                )
        if any(config.train.auxiliary for config in trainings.values()):
            raise self.wrong(
                at, "train.auxiliary: a conventional network has no cell for the head; set it to 0"
            )

    def _config(self, top: Mapping[str, Any], *layers: tuple[str, Any]) -> Config:
        """The file's configuration, its `set`, and the settings that stand at these fields."""
        source = top.get("config")
        if source is not None and not isinstance(source, str):
            raise self.wrong("config", f"expected a preset or a YAML file, found {source!r}")
        if source is not None:
            source = self._place(source, PRESETS)
            if source not in PRESETS and not Path(source).is_file():
                raise self.wrong(
                    "config", f"{source!r} is neither a file nor one of {', '.join(PRESETS)}"
                )
        common = self._mapping("set", top.get("set", {}))
        return load_config(
            source,
            layers=[(self._inside(name), values) for name, values in (("set", common), *layers)],
        )

    def _inside(self, name: str) -> Origin:
        """Where the fields below `name` stand."""
        lines = {
            key.removeprefix(f"{name}."): line
            for key, line in self.where.lines.items()
            if key.startswith(f"{name}.")
        }
        return Origin(self.where.name, lines)

    def _genotype(self, name: str, value: Any) -> Genotype:
        if not isinstance(value, str):
            raise self.wrong(name, f"expected the name or file of a genotype, found {value!r}")
        try:
            return genotypes.get(self._place(value, genotypes.published()))
        except InputError as error:
            raise self.wrong(name, str(error).removeprefix("genotype: ")) from error

    def _seeds(self, name: str, value: Any, first: int) -> tuple[int, ...]:
        """A number of seeds from the configuration's on, or the seeds themselves."""
        seeds: list[Any] = value if isinstance(value, list) else []
        if type(value) is int and 0 < value <= MOST_SEEDS:
            seeds = list(range(first, first + value))
        if not seeds or not all(type(seed) is int and 0 <= seed <= MAX_SEED for seed in seeds):
            raise self.wrong(name, f"expected a number of seeds or a list of them, found {value!r}")
        if len(set(seeds)) < len(seeds):
            raise self.wrong(name, f"expected each seed once, found {value}")
        return tuple(seeds)

    def _trained(self, name: str, value: Any, known: Mapping[str, Any]) -> Sequence[str]:
        """Domains in which an arm's networks are trained."""
        if value is None:
            return list(known)
        if not isinstance(value, list) or not value or not set(value) <= known.keys():
            raise self.wrong(name, f"expected a list of {', '.join(known)}, found {value!r}")
        return [domain for domain in known if domain in value]

    def _hardware(self, value: Any) -> Hardware | None:
        if value is None:
            return None
        fields = self._section("hardware", value, HARDWARE_FIELDS)
        board, luts = fields.get("board", "none"), fields.get("luts")
        if not isinstance(board, str):
            raise self.wrong("hardware.board", f"expected the name of a board, found {board!r}")
        if luts is not None and (type(luts) is not int or luts < 1):
            raise self.wrong("hardware.luts", f"expected a number of LUT sites, found {luts!r}")
        try:
            most = device(board).luts
        except InputError as error:
            raise self.wrong("hardware.board", str(error).removeprefix("board: ")) from error
        if luts is not None and most is not None and luts > most:
            raise self.wrong("hardware.luts", f"{luts} are more than the {most} that {board} has")
        return Hardware(board, luts)

    def _require_common(self, name: str, settings: Mapping[str, Any]) -> None:
        """InputError where `settings` has what no part of a comparison may have for itself."""
        own = [key for key in ("device", "threads") if key in settings]
        train = settings.get("train")
        if isinstance(train, dict):
            own += [f"train.{key}" for key in train if str(key).startswith("validation")]
        if own:
            raise self.wrong(f"{name}.{own[0]}", "is the same for all: put it into set")

    def _require_equal(self, unequal: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        for settings in unequal.values():
            setting, values = next(iter(settings.items()))
            (first, usual), *others = values.items()
            arm, value = next((arm, value) for arm, value in others if value != usual)
            lines = self.where.lines
            written = [f"arms.{name}.set.{setting}" for name in (arm, first)]
            at = next((name for name in written if name in lines), f"arms.{arm}")
            raise self.wrong(
                at,
                f"{setting} is {value!r} in trainings of {arm}, {usual!r} in those of {first}: "
                "networks that are compared are trained alike; put it into set or domains, or say "
                "equal_training: false",
            )

    def _require_folders(self, arms: Collection[str]) -> None:
        """InputError where two arms have one folder on a disk that knows no case."""
        first: dict[str, str] = {}
        for name in arms:
            other = first.setdefault(name.lower(), name)
            if other != name:
                raise self.wrong(
                    f"arms.{name}", f"differs from {other} in case alone, and arms name folders"
                )

    # --- values --------------------------------------------------------------------------

    def _choice(self, name: str, value: Any, choices: Collection[str]) -> None:
        if value not in choices:
            raise self.wrong(name, f"expected one of {', '.join(choices)}, found {value!r}")

    def _mapping(self, name: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(name, f"expected a mapping, found {value!r}")
        for key in value:
            if not isinstance(key, str):
                raise self.wrong(f"{name}.{key}", "expected a name; put it into quotes")
        return value

    def _section(self, name: str, value: Any, known: Sequence[str]) -> dict[str, Any]:
        """A mapping that has no keys but the known ones."""
        if not name and not isinstance(value, dict):
            raise InputError(f"{self.path}: expected a mapping with data and arms")
        for key in self._mapping(name, value):
            if key not in known:
                full = f"{name}.{key}" if name else key
                raise self.wrong(full, f"not a field; expected one of {', '.join(known)}")
        return value


def _unequal(arms: Mapping[str, Arm]) -> dict[str, dict[str, dict[str, Any]]]:
    """Domain -> setting -> arm -> value, of the settings in which trainings differ."""
    models = {name for name, arm in arms.items() if arm.model is not None}
    found = {
        domain: _differing(
            {name: arm.train[domain] for name, arm in arms.items() if domain in arm.train}, models
        )
        for domain in DOMAINS
    }
    return {domain: settings for domain, settings in found.items() if settings}


def _differing(
    trainings: Mapping[str, Config], models: Collection[str] = ()
) -> dict[str, dict[str, Any]]:
    """Setting -> name -> value, of the settings in which these trainings differ.

    `models`: names of those of conventional networks, which read no setting of cells.
    """
    settings = {name: decisive(config, "train") for name, config in trainings.items()}
    of_cells = {f"train.{name}" for name in OF_CELLS}
    found = {}
    for key in next(iter(settings.values()), {}):
        values = {
            name: of[key]
            for name, of in settings.items()
            if not (name in models and key in of_cells)
        }
        if any(value != next(iter(values.values())) for value in values.values()):
            found[key] = values
    return found
