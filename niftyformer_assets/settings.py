"""Settings of an installation: where candles come from and where artifacts go, from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BeforeValidator,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from niftyformer_assets.exchange.settings import MadeUpSettings
from niftyformer_assets.market.servers import ATTEMPTS, KITE_ROOT, NSE_ROOT, REQUESTS_PER_SECOND, TIMEOUT_S
from niftyformer_assets.portfolio.orders.settings import OrderSettings
from niftyformer_assets.project import PROJECT, is_project
from niftyformer_assets.store.errors import NiftyFormerError
from niftyformer_assets.store.given import in_one_line
from niftyformer_assets.store.workspace import Workspace
from niftyformer_assets.words import do_you_mean, near
from niftyformer_assets.yaml_numbers import is_odd_number

# Dots stand alone, for Dagster takes three of them in a partition's key for a range.
# And they become names of files, with something behind them.
MOST_OF_A_NAME = 200
NAME = re.compile(rf"(?=.{{1,{MOST_OF_A_NAME}}}\Z)[a-z0-9](?:\.?[a-z0-9_-])*")


def _is_http_address(value: str) -> str:
    TypeAdapter(AnyHttpUrl).validate_python(value)
    return value


def _is_address_of_redis(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    with suppress(ValueError):  # which would show a part of it
        address = urlsplit(value.get_secret_value())
        if address.scheme in ("redis", "rediss") and address.hostname and address.port != 0:
            return value
    raise ValueError("it is no address of a Redis, as redis://:PASSWORD@127.0.0.1:6379/0, with %2F for / in a password")


def _paths(value: Any) -> Any:
    """One path, several, or a text with several, parted as in PATH."""
    if isinstance(value, str):
        return tuple(Path(part) for part in value.split(os.pathsep) if part)
    return (value,) if isinstance(value, Path) else value


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
    kite_root: HttpAddress = KITE_ROOT
    kite_requests_per_second: float = Field(default=REQUESTS_PER_SECOND, gt=0, le=REQUESTS_PER_SECOND)
    kite_timeout_s: float = Field(default=TIMEOUT_S, gt=0, le=60)
    kite_attempts: int = Field(default=ATTEMPTS, ge=1, le=100)
    index_list_root: HttpAddress = NSE_ROOT
    workspace_name: str | None = Field(default=None, validation_alias="NIFTYFORMER_WORKSPACE")
    replay: Path | None = None
    index_list: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_paths)] = ()
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
    broker: Annotated[SecretStr | None, AfterValidator(_is_address_of_redis)] = None
    reports_port: int = Field(default=8722, ge=1, le=65535)
    signal_experiment: str | None = None
    signal_max_age_days: int = Field(default=366, ge=1, le=3660)
    orders: OrderSettings = OrderSettings()
    alerts: SecretStr | None = None
    overrides: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _named_workspace(self) -> Settings:
        if self.workspace_name is None:
            self.workspace_name = "replay" if self.replay else "nifty200" if self.kite_api_key else "demo"
        if not NAME.fullmatch(self.workspace_name) or self.workspace_name in ("experiments", "reference"):
            raise ValueError(f"the workspace name {self.workspace_name!r} cannot be a folder of data/")
        if self.workspace_name == "demo" and self.replay:
            raise ValueError("workspace demo is for the made-up market: set NIFTYFORMER_WORKSPACE to another name")
        if self.workspace_name == "nifty200" and (self.replay or self.kite_root != KITE_ROOT):
            raise ValueError(
                "workspace nifty200 is for Zerodha's own candles: set NIFTYFORMER_WORKSPACE to another name"
            )
        return self

    @property
    def studies(self) -> Path:
        """The folder of the studies' files, beside that of the experiments'."""
        return self.experiments.parent / "studies"

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
            return "zerodha" if self.kite_root == KITE_ROOT else "elsewhere"
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
        """Where lists and tables at hand lie: fetched ones, and for Zerodha those a person dropped in."""
        dropped_in = [self.data / "reference" / "index_lists"] if self.is_live else []
        return [self.workspace.index_lists, *dropped_in]

    @property
    def index_list_sources(self) -> list[Path]:
        """Those folders, and the files and folders that are named for candles to replay."""
        return [*self.index_list_folders, *self.given_lists]

    @property
    def given_lists(self) -> list[Path]:
        """The lists and tables that are named for candles to replay; a folder stands for its CSV files."""
        return [
            path for given in self.index_list for path in (sorted(given.glob("*.csv")) if given.is_dir() else [given])
        ]


def read_settings(**given: Any) -> Settings:
    """The settings of this process; what is given wins over the environment.

    Raises:
        NiftyFormerError: a value is wrong, and the message names it; or this is no project's folder.
    """
    if not is_project(PROJECT):
        raise NiftyFormerError(
            f"{PROJECT} is no folder of NiftyFormer's, nor is one above it: make one with `niftyformer init FOLDER`, "
            "and start from there"
        )
    try:
        return Settings(**given)
    except ValidationError as error:
        raise NiftyFormerError(f"the environment's settings are wrong: {reasons(error)}") from None
    except (ValueError, OSError) as error:  # a value that is no JSON where it must be, or an .env that is no text
        raise NiftyFormerError(f"the environment or .env cannot be read: {in_one_line(error)}: correct it") from None


def _of_other_section(key: str, known: Sequence[str]) -> list[str]:
    last = key.rpartition(".")[2]
    return [other for other in known if other.rpartition(".")[2] == last]


def reasons(error: ValidationError, known: Sequence[str] = ()) -> str:
    """What pydantic found, in one line: each key with its reason, without the value.

    Args:
        known: all keys as `section.key`, of which an unknown one may be a misspelling.
    """
    found = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"] if part not in ("dates", "ratio"))
        reason = problem["msg"].removeprefix("Value error, ")
        if problem["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            reason = "unknown key" + do_you_mean([*_of_other_section(key, known), *near(key, known)])
        if problem["type"] in ("int_type", "float_type") and is_odd_number(problem["input"]):
            reason += f", and {problem['input']} may be read as more than one: write it in decimal, without a leading 0"
        found.append(f"{key}: {reason}" if key else reason)
    return "; ".join(found)
