"""Settings: where things are (from the environment), and what an experiment is (from its file)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from niftyformer_assets.dataset.settings import GraphSettings, WaveletSettings, WindowSettings
from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.factors.settings import FactorSettings
from niftyformer_assets.market.settings import UniverseSettings
from niftyformer_assets.market.split import Period, SplitByDate, SplitByRatio
from niftyformer_assets.model.baseline_settings import BaselineSettings, own_settings
from niftyformer_assets.model.settings import STOCKFORMER, ModelSettings, TrainingSettings
from niftyformer_assets.portfolio.settings import CostSettings, StrategySettings
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import in_one_line, read_regular
from niftyformer_assets.store.provenance import flat_settings
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets.yaml_numbers import is_odd_number, read_yaml

PROJECT = Path(__file__).resolve().parents[1]
ZERODHA = "https://api.kite.trade"
# Dots stand alone, for Dagster takes three of them in a partition's key for a range.
EXPERIMENT_NAME = re.compile(r"[a-z0-9](?:\.?[a-z0-9_-])*")
# The longest of ours has 2 KB.
MOST_EXPERIMENT_BYTES = 64 << 10


def _is_http_address(value: str) -> str:
    TypeAdapter(AnyHttpUrl).validate_python(value)
    return value


# Kept as it was written.
HttpAddress = Annotated[str, AfterValidator(_is_http_address)]


class Settings(BaseSettings):
    """Where candles come from and where artifacts go; read from the environment or a `.env` file.

    Without any of them the simulated exchange's made-up market is used, so that everything can be
    tried without an account. With `KITE_API_KEY` it is Zerodha; with `NIFTYFORMER_REPLAY` a folder
    of candles. Each is a workspace of its own: files and Dagster's history never mix.
    """

    model_config = SettingsConfigDict(
        env_prefix="NIFTYFORMER_",
        env_nested_delimiter="__",
        env_file=PROJECT / ".env",
        extra="ignore",
        populate_by_name=True,
    )

    kite_api_key: str | None = Field(default=None, validation_alias="KITE_API_KEY")
    kite_api_secret: SecretStr | None = Field(default=None, validation_alias="KITE_API_SECRET")
    kite_access_token: SecretStr | None = Field(default=None, validation_alias="KITE_ACCESS_TOKEN")
    kite_root: HttpAddress = ZERODHA
    kite_requests_per_second: float = Field(default=3.0, gt=0, le=3)
    kite_timeout_s: float = Field(default=7.0, gt=0, le=60)
    index_list_root: HttpAddress = "https://niftyindices.com"
    workspace_name: str | None = Field(default=None, validation_alias="NIFTYFORMER_WORKSPACE")
    replay: Path | None = None
    index_list: Path | None = None
    adjusted_close: bool = False
    benchmark: Path | None = None
    total_return: Path | None = None
    history_start: date = date(2021, 7, 1)
    data: Path = PROJECT / "data"
    storage: Path = PROJECT / "storage"
    experiments: Path = PROJECT / "data" / "experiments"
    made_up: MadeUpSettings = MadeUpSettings()
    made_up_start: date = date(2022, 1, 3)
    made_up_end: date = date(2023, 12, 29)
    cpu_allowed: bool | None = None
    reports_port: int = Field(default=8722, ge=1, le=65535)
    overrides: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _named_workspace(self) -> Settings:
        if self.workspace_name is None:
            self.workspace_name = "replay" if self.replay else "nifty200" if self.kite_api_key else "demo"
        if not EXPERIMENT_NAME.fullmatch(self.workspace_name) or self.workspace_name in ("experiments", "reference"):
            raise ValueError(f"the workspace name {self.workspace_name!r} cannot be a folder of data/")
        if self.workspace_name == "demo" and self.replay:
            raise ValueError("workspace demo is for the made-up market: set NIFTYFORMER_WORKSPACE to another name")
        if self.workspace_name == "nifty200" and (self.replay or self.kite_root != ZERODHA):
            raise ValueError(
                "workspace nifty200 is for Zerodha's own candles: set NIFTYFORMER_WORKSPACE to another name"
            )
        return self

    @property
    def workspace(self) -> Workspace:
        assert self.workspace_name is not None  # filled in by the validator
        return Workspace(self.data, self.workspace_name)

    @property
    def source(self) -> Literal["made up", "replay", "zerodha", "elsewhere"]:
        """Who answers the Kite client.

        The simulated exchange with one of its markets, run by whoever asks; or Zerodha; or a server
        that runs elsewhere and speaks as Zerodha does (`niftyformer exchange`).
        """
        if self.replay or self.workspace_name == "replay":
            return "replay"
        if self.workspace_name == "nifty200" or (self.kite_api_key and self.workspace_name != "demo"):
            return "zerodha" if self.kite_root == ZERODHA else "elsewhere"
        return "made up"

    @property
    def is_live(self) -> bool:
        """Whether new candles come every day, and a login is needed for them."""
        return self.source in ("zerodha", "elsewhere")

    @property
    def market(self) -> Literal["simulated", "real"]:
        """Which experiments are of this workspace."""
        return "real" if self.source in ("zerodha", "replay") else "simulated"

    @property
    def may_train_on_cpu(self) -> bool:
        """Asked for by `NIFTYFORMER_CPU_ALLOWED`; by itself only on the simulated exchange's candles."""
        return self.source != "zerodha" if self.cpu_allowed is None else self.cpu_allowed

    @property
    def dagster_home(self) -> Path:
        return self.storage / self.workspace.name

    @property
    def token_file(self) -> Path:
        """Where `niftyformer login` keeps the access token."""
        return self.dagster_home / "access_token.json"

    @property
    def token_environment(self) -> dict[str, str]:
        """KITE_ACCESS_TOKEN, from the environment or `.env`, in the form of an environment."""
        token = self.kite_access_token
        return {"KITE_ACCESS_TOKEN": token.get_secret_value()} if token else {}

    @property
    def index_list_folders(self) -> list[Path]:
        """Where NSE's lists at hand lie: fetched ones, and for Zerodha those a person dropped in."""
        dropped_in = [self.data / "reference" / "index_lists"] if self.is_live else []
        return [self.workspace.index_lists, *dropped_in]


def read_settings(**given: Any) -> Settings:
    """The settings of this process; what is given wins over the environment.

    Raises:
        NiftyFormerError: a value is wrong; the message names it.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        raise NiftyFormerError(f"the environment's settings are wrong: {_reasons(error)}") from None
    except (ValueError, OSError) as error:  # a value that is no JSON where it must be, or an .env that is no text
        raise NiftyFormerError(f"the environment or .env cannot be read: {in_one_line(error)}: correct it") from None


class WalkForward(BaseModel):
    """The same experiment again and again, each time `step_months` later."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    windows: int = Field(ge=2, le=99)
    step_months: int = Field(ge=1, le=120)


def _kind_of_split(value: Any) -> str:
    given = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    return "ratio" if "ratio" in given else "dates"


# What no traded result rests on: what an experiment is called, how it came by its values, and the baselines beside it.
NOT_DECIDING = ("name", "market", "overrides", "baselines")


class Experiment(BaseModel):
    """One experiment: everything from factor selection to the report is decided by these values.

    A file `data/experiments/NAME.yaml` holds one; what it leaves out has the published value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    market: Literal["simulated", "real"]
    sessions: Annotated[
        Annotated[SplitByDate, Tag("dates")] | Annotated[SplitByRatio, Tag("ratio")], Discriminator(_kind_of_split)
    ]
    universe: UniverseSettings = UniverseSettings()
    factors: FactorSettings = FactorSettings()
    windows: WindowSettings = WindowSettings()
    wavelet: WaveletSettings = WaveletSettings()
    graph: GraphSettings = GraphSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    baselines: BaselineSettings = BaselineSettings()
    strategy: StrategySettings = StrategySettings()
    costs: CostSettings = CostSettings()
    seed: int = Field(default=42, ge=0, lt=2**32)
    overrides: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_together(self) -> Experiment:
        if self.graph.dimensions != self.model.width:
            raise ValueError(
                f"graph.dimensions ({self.graph.dimensions}) must equal model.width ({self.model.width}): "
                "the embedding is added to the model's states"
            )
        if not set(self.baselines.names) - {self.model.name}:
            raise ValueError("baselines.names has no baseline beside the model: name one that it is compared with")
        return self

    @property
    def rivals(self) -> tuple[str, ...]:
        """The baselines that the model is compared with: those named but itself."""
        return tuple(name for name in self.baselines.names if name != self.model.name)

    def values(self) -> dict[str, Any]:
        """All settings with defaults filled in, as JSON values."""
        return self.model_dump(mode="json")

    @cached_property
    def summary(self) -> str:
        """A line about the experiment, for logs and the UI."""
        s = self.sessions
        span = f"{s.train.start} to {s.test.end}" if isinstance(s, SplitByDate) else f"{s.start} to {s.end}"
        line = f"{self.name}: {span}, {self.factors.factor_set}, label {self.windows.label}, seed {self.seed}"
        return f"{line}, {self.differs}" if self.overrides else line

    @property
    def differs(self) -> str:
        """What was given instead of the file's values, in words; empty where nothing was."""
        given = ", ".join(f"{key}={json.dumps(value, default=str)}" for key, value in self.overrides.items())
        return f"with {given} instead of the file's" if given else ""


def without_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of an experiment as `section.key` -> value, those apart that its file may as well leave out.

    So a record of a time before a setting is the same as one of today that has the setting's default.

    Args:
        values: of `Experiment.values`, now or of an earlier version; sections may be missing.
    """
    defaults = flat_settings(defaults_of(values))
    return {
        key: value
        for key, value in flat_settings(values).items()
        if key not in defaults or json.dumps(defaults[key]) != json.dumps(value)
    }


def defaults_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """What an experiment has, as JSON values, where its file says nothing."""
    optional = {name for name, field in Experiment.model_fields.items() if not field.is_required()}
    split = SplitByRatio if _kind_of_split(values.get("sessions")) == "ratio" else SplitByDate
    of_split = {field.name: field.default for field in fields(split) if field.default is not MISSING}
    return Experiment.model_construct().model_dump(mode="json", include=optional) | {"sessions": of_split}


def what_decides(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that decide on the traded result of an experiment, without defaults; see `without_defaults`.

    Of a baseline that is the model its own settings decide, and none of the network's.
    """
    deciding = {section: value for section, value in values.items() if section not in NOT_DECIDING}
    name = values.get("model", {}).get("name", STOCKFORMER)
    if name != STOCKFORMER:
        for section in ("training", "graph", "wavelet"):
            deciding.pop(section, None)
        deciding["model"] = {"name": name}
        deciding["baselines"] = own_settings(name, values.get("baselines", {}))
    return without_defaults(deciding)


def load_experiments(
    folder: Path,
    market: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    wrong: dict[str, str] | None = None,
) -> dict[str, Experiment]:
    """All experiments of a folder by name, in order; a walk-forward file gives one a window.

    Args:
        market: only those for this market.
        overrides: `section.key` -> value, put over every file before it is checked; what comes of it has
            names of its own (`overridden_name`).
        wrong: gets what is wrong with a file, by its stem, and the file is left out, whatever it is.

    Raises:
        NiftyFormerError: without `wrong`, a file has an unknown key, a wrong type, windows that
            overlap, or the name of another one's window; the message names the file, the key and
            the reason.
    """
    found: dict[str, list[Experiment]] = {}
    refused: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            found[path.stem] = read_experiment_file(path, overrides or {})
        except NiftyFormerError as error:
            refused[path.stem] = in_one_line(error)
        except Exception as error:  # whatever is odd about one file is no reason to be without the others
            refused[path.stem] = in_one_line(f"{path} is not understood ({type(error).__name__}: {error}): mend it")
    # A file and another one's window of one name: which of them the name means is for nobody to guess.
    for stem, experiments in found.items():
        for name in {experiment.name for experiment in experiments} - {overridden_name(stem, overrides or {})}:
            if name in found or name in refused:
                said = f"{folder / name}.yaml has the name of a window of {folder / stem}.yaml: rename one of the two"
                refused.setdefault(name, said)
                refused.setdefault(stem, said)
    if wrong is not None:
        wrong |= refused
    elif refused:
        raise NiftyFormerError(next(iter(refused.values())))
    return {
        experiment.name: experiment
        for stem, experiments in found.items()
        if stem not in refused
        for experiment in experiments
        if market is None or experiment.market == market
    }


def overridden_name(name: str, overrides: Mapping[str, Any]) -> str:
    """What an experiment is called with other values than its file's: they have their own key and folder.

    So that a quick look with `--set` leaves the results of the file as they are.
    """
    if not overrides:
        return name
    canonical = json.dumps(overrides, sort_keys=True, default=str)
    return f"{name}-set-{hashlib.sha256(canonical.encode()).hexdigest()[:6]}"


def experiments_of(settings: Settings, wrong: dict[str, str] | None = None) -> dict[str, Experiment]:
    """The experiments of the active workspace by name: those of the files, and those with `overrides` put over.

    A file that is wrong, as one that is just being written, is left out: candles are fetched and
    other experiments run without it. `wrong` gets the reasons, and `find_experiment` raises them.
    """
    return experiments_of_files(settings, wrong) | _overridden(settings, {})


def experiments_of_files(settings: Settings, wrong: dict[str, str] | None = None) -> dict[str, Experiment]:
    """As `experiments_of`, with the values of the files alone."""
    return load_experiments(settings.experiments, settings.market, wrong={} if wrong is None else wrong)


def _overridden(settings: Settings, wrong: dict[str, str]) -> dict[str, Experiment]:
    if not settings.overrides:
        return {}
    return load_experiments(settings.experiments, settings.market, settings.overrides, wrong)


def find_experiment(settings: Settings, name: str) -> Experiment:
    """One experiment of the active workspace.

    Raises:
        NiftyFormerError: there is none of that name, or its file is wrong; the message says which
            there are, or what is wrong.
    """
    wrong: dict[str, str] = {}
    of_files, overridden = experiments_of_files(settings, wrong), _overridden(settings, wrong)
    known = of_files | overridden
    if name in known:
        return known[name]
    given = name.removesuffix(overridden_name("", settings.overrides))
    # A window of a walk-forward is named after its file.
    for stem in (given, given.rpartition("-")[0]):
        if stem in wrong:
            raise NiftyFormerError(wrong[stem])
    raise NiftyFormerError(_no_such_experiment(settings, given, list(of_files)))


def _no_such_experiment(settings: Settings, name: str, known: Sequence[str]) -> str:
    others = load_experiments(settings.experiments, wrong={})
    if name in others:
        market = others[name].market
        workspace = (
            "NIFTYFORMER_WORKSPACE=demo"
            if market == "simulated"
            else "NIFTYFORMER_WORKSPACE=nifty200 (Zerodha, with KITE_API_KEY) or --replay FOLDER"
        )
        return (
            f"experiment {name!r} is for the {market} market and workspace {settings.workspace.name} has the "
            f"{settings.market} one: choose the workspace with {workspace}, or one of {', '.join(known) or 'none'}"
        )
    # A file of a name that is refused is no way out.
    file = name if EXPERIMENT_NAME.fullmatch(name) else "NAME"
    return (
        f"there is no experiment {name!r} for the {settings.market} market: choose one of "
        f"{', '.join(known) or 'none'}, or write {settings.experiments / file}.yaml"
    )


def read_experiment_file(path: Path, overrides: Mapping[str, Any]) -> list[Experiment]:
    """The experiment of a file, or its windows; errors as in `load_experiments`."""
    if not EXPERIMENT_NAME.fullmatch(path.stem):
        raise NiftyFormerError(
            f"{path}: an experiment's name is made of lower-case letters, digits, '-', '_' and single '.' between them"
        )
    try:
        content = read_yaml(read_regular(path, MOST_EXPERIMENT_BYTES).decode("utf-8"))
    except OSError as error:
        raise NiftyFormerError(f"{path} cannot be read ({error.strerror}): mend or remove it") from None
    except ValueError as error:
        raise NiftyFormerError(f"{path} is not readable as YAML: {error}") from None
    if not isinstance(content, dict):
        raise NiftyFormerError(f"{path}: an experiment is a mapping of settings, this file holds none")
    for key, value in overrides.items():
        _put(content, key, value, path)
    walk_forward = content.pop("walk_forward", None)
    try:
        name = overridden_name(path.stem, overrides)
        first = _experiment(content | {"name": name, "overrides": dict(overrides)})
        if walk_forward is None:
            return [first]
        plan = WalkForward.model_validate_json(json.dumps(walk_forward), strict=True)
        return [
            _experiment(
                content
                | {
                    "name": overridden_name(f"{path.stem}-{window + 1:02d}", overrides),
                    "overrides": dict(overrides),
                    "sessions": _shifted(first.sessions, window * plan.step_months),
                }
            )
            for window in range(plan.windows)
        ]
    except ValidationError as error:
        raise NiftyFormerError(f"{path}: {_reasons(error)}") from None
    except ValueError as error:  # an infinite number, which JSON does not have
        raise NiftyFormerError(f"{path}: a number is infinite or none ({error}): correct it") from None


def parse_overrides(texts: Iterable[str]) -> dict[str, Any]:
    """The values of several `--set`, by key; one given twice is refused, as in a file."""
    overrides: dict[str, Any] = {}
    for key, value in map(parse_override, texts):
        if key in overrides:
            raise NiftyFormerError(f"--set {key} is given twice: give it once")
        overrides[key] = value
    return overrides


def parse_override(text: str) -> tuple[str, Any]:
    """`training.max_epochs=2` -> ("training.max_epochs", 2), the value read as YAML."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise NiftyFormerError(f"--set {text!r} is not understood: write it as section.key=value")
    try:
        return key.strip(), read_yaml(value)
    except ValueError as error:
        raise NiftyFormerError(f"--set {text!r}: the value is not readable as YAML: {error}") from None


def _experiment(content: Mapping[str, Any]) -> Experiment:
    # Through JSON, because there strict means strict about types and still takes dates and mappings.
    return Experiment.model_validate_json(json.dumps(content, default=str, allow_nan=False), strict=True)


def _put(content: dict, key: str, value: Any, path: Path) -> None:
    *sections, last = key.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise NiftyFormerError(f"--set {key}: {section!r} is no section in {path}")
    content[last] = value


def _shifted(sessions: SplitByDate | SplitByRatio, months: int) -> dict[str, Any]:
    if isinstance(sessions, SplitByRatio):
        ends = {"start": _later(sessions.start, months), "end": _later(sessions.end, months)}
        return {**ends, "ratio": list(sessions.ratio)}
    return {
        name: {"start": _later(period.start, months), "end": _later(period.end, months)}
        for name, period in _periods(sessions)
    }


def _periods(sessions: SplitByDate) -> Iterable[tuple[str, Period]]:
    return (("train", sessions.train), ("validation", sessions.validation), ("test", sessions.test))


def _later(day: date, months: int) -> date:
    """The same day some months later; a month's last day stays a month's last day."""
    last_of_month = (day + timedelta(days=1)).day == 1
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    following = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    return date(year, month + 1, last if last_of_month else min(day.day, last))


def _reasons(error: ValidationError) -> str:
    """What pydantic found, in one line: each key with its reason, without the value."""
    found = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"] if part not in ("dates", "ratio"))
        reason = problem["msg"].removeprefix("Value error, ")
        if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            reason = "unknown key"
        if problem["type"] in ("int_type", "float_type") and is_odd_number(problem["input"]):
            reason += f", and {problem['input']} may be read as more than one: write it in decimal, without a leading 0"
        found.append(f"{key}: {reason}" if key else reason)
    return "; ".join(found)
