"""Configs of chat models: which one, and for endpoints how fast and how dear. A new kind is one class and one line."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from utils.models.chat.allow import check_url, host_of, is_loopback
from utils.runs.config import SecretRef, StrictModel

if TYPE_CHECKING:
    from utils.models.chat.protocol import ChatModel

_OURS = {"model", "messages", "prompt", "stream", "n", "logprobs", "top_logprobs", "response_format"}


class Prices(StrictModel):
    """What an endpoint takes per million tokens, in any one currency."""

    prompt: float = Field(ge=0, allow_inf_nan=False)
    """Per million prompt tokens."""
    completion: float = Field(ge=0, allow_inf_nan=False)
    """Per million answered tokens."""


class Limits(StrictModel):
    """How fast and how dear an endpoint may be asked; never what is asked."""

    concurrency: int = Field(default=8, ge=1, le=256)
    """Calls at the same time, over all processes of this host."""
    requests_per_minute: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Over all processes of this host, evenly spaced."""
    tokens_per_minute: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Prompt and answer together, over all processes of this host."""
    timeout_s: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    """Limit of one call."""
    tries: int = Field(default=6, ge=1, le=100)
    """Calls for one request before it stays pending."""
    first_wait_s: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Before the second try, less up to half as jitter; doubled for each further one."""
    longest_wait_s: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    """Where the doubling ends."""
    patience_s: float = Field(default=300.0, ge=0, allow_inf_nan=False)
    """The longest Retry-After that is waited for; over it, the run ends with exit code 75."""
    breaker_failures: int = Field(default=20, ge=1)
    """Failures in a row (rate limits do not count) after which the endpoint is left alone."""
    breaker_rest_s: float = Field(default=60.0, gt=0, allow_inf_nan=False)
    """Seconds it is left alone; the run ends with exit code 75 meanwhile."""
    prices: Prices | None = None
    """Needed for a budget; with it, every answer's cost is kept."""
    budget: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """What this model may cost in this run, in the currency of the prices. It is never exceeded."""

    @model_validator(mode="after")
    def _priced(self) -> Limits:
        if self.budget is not None and self.prices is None:
            raise ValueError("a budget needs prices: {prompt: …, completion: …}, per million tokens")
        return self


class EndpointConfig(StrictModel):
    """An OpenAI-compatible endpoint: vLLM, llama.cpp, SGLang, `transformers serve`, or a provider."""

    placement: ClassVar[frozenset[str]] = frozenset({"api_key", "allow_hosts", "insecure", "limits"})

    kind: Literal["endpoint"]
    base_url: Annotated[str, AfterValidator(lambda url: url.rstrip("/"))]
    """Up to the version, as in https://api.example.com/v1."""
    model: str = Field(min_length=1)
    """The model's name there."""
    revision: str | None = None
    """Whatever tells two models of one name apart; answers of another revision are not reused."""
    api: Literal["chat", "completion"] = "chat"
    """`completion` asks the text as it is, without a chat template."""
    api_key: SecretRef | None = None
    """env:NAME or file:PATH."""
    allow_hosts: list[str] = Field(default_factory=list)
    """Hosts other than this machine that data may be sent to."""
    insecure: bool = False
    """Allow plain http to another machine."""
    structured: bool = True
    """Ask for a schema by `response_format`; an endpoint that refuses it is asked without, and that is counted."""
    max_tokens_key: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the endpoint calls the limit of an answer."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Further keys of every request, such as `chat_template_kwargs`; null takes a key of ours out."""
    limits: Limits = Limits()
    """How fast and how dear."""

    @model_validator(mode="after")
    def _allowed(self) -> EndpointConfig:
        if ours := sorted(_OURS & self.extra_body.keys()):
            raise ValueError(f"extra_body must not hold {ours[0]!r}")
        check_url(self.base_url, self.allow_hosts, insecure=self.insecure)
        return self

    @property
    def label(self) -> str:
        """The model's name in tables and messages."""
        return f"{self.model} at {host_of(self.base_url)}"

    @property
    def identity(self) -> dict[str, Any]:
        """What makes it another model, whose answers are others."""
        return self.model_dump(
            mode="json",
            include={"base_url", "model", "revision", "api", "max_tokens_key", "structured", "extra_body"},
        )

    @property
    def leaves_host(self) -> str | None:
        """Which data leaves this machine and where to, for `--dry-run`; None when none does (S10)."""
        if is_loopback(self.base_url):
            return None
        return f"the messages of every request go to {host_of(self.base_url)} (model {self.model})"

    @property
    def inputs(self) -> list[Path]:
        """What is read on this machine."""
        return []

    def open(self, run_directory: Path) -> AbstractContextManager[ChatModel]:
        """Open it; answers, costs and shared limits lie below `run/chat/` of the run."""
        from utils.models.chat.endpoint import open_endpoint

        return open_endpoint(self, run_directory)


class _OnThisMachine(StrictModel):
    """A chat model that no data leaves for."""

    @property
    def leaves_host(self) -> str | None:
        """None: no data leaves this machine."""
        return None


class _Directory(_OnThisMachine):
    """A chat model whose weights lie here."""

    path: Path
    """A Hugging Face model directory, or a finished training run."""
    seed: int = 42
    """Of requests that bring none, and of the engine where it has one."""

    @property
    def label(self) -> str:
        """The model's name in tables and messages."""
        return self.path.name

    @property
    def inputs(self) -> list[Path]:
        """What is read on this machine."""
        return [self.path]


class LocalConfig(_Directory):
    """A Hugging Face model directory or a finished training run, by transformers."""

    kind: Literal["local"]
    batch_size: int = Field(default=16, ge=1)
    """Questions per forward pass."""

    def open(self, run_directory: Path) -> AbstractContextManager[ChatModel]:
        """Load the model for as long as it is asked."""
        from utils.models.chat.local import open_local

        return open_local(self)


class VllmConfig(_Directory):
    """A Hugging Face model directory or a finished training run, by vLLM where it is installed."""

    kind: Literal["vllm"]
    gpus: int = Field(default=1, ge=1)
    """GPUs that share the model (tensor parallel)."""

    def open(self, run_directory: Path) -> AbstractContextManager[ChatModel]:
        """Load the model for as long as it is asked."""
        from utils.models.chat.vllm import open_vllm

        return open_vllm(self)


class ReplayConfig(_OnThisMachine):
    """Stored answers. The defaults read an `answers.jsonl` of ours."""

    kind: Literal["replay"]
    file: Path
    """JSONL or Parquet: one row per answer."""
    key: Literal["request", "prompt"] = "request"
    """What names a request: its hash, or the text of its last message."""
    key_field: str | None = None
    """The column with it; by default `request` or `prompt`."""
    text_field: str = "text"
    """The column with the answer."""

    @property
    def label(self) -> str:
        """The model's name in tables and messages."""
        return f"replay/{self.file.stem}"

    @property
    def inputs(self) -> list[Path]:
        """What is read on this machine."""
        return [self.file]

    def open(self, run_directory: Path) -> AbstractContextManager[ChatModel]:
        """Read the file."""
        from utils.models.chat.replay import open_replay

        return open_replay(self)


class ScriptedConfig(_OnThisMachine):
    """Replies one after another, whatever is asked: for tests and dry runs."""

    kind: Literal["scripted"]
    replies: list[str] = Field(min_length=1)
    """In the order of the requests; a request that was answered before gets its answer again."""
    first_tokens: list[dict[str, float]] = Field(default_factory=list)
    """Natural log-probabilities of each reply's first token, for requests that ask for them."""

    @property
    def label(self) -> str:
        """The model's name in tables and messages."""
        return "scripted"

    @property
    def inputs(self) -> list[Path]:
        """What is read on this machine."""
        return []

    def open(self, run_directory: Path) -> AbstractContextManager[ChatModel]:
        """Go on after the last reply that this run has used."""
        from utils.models.chat.scripted import open_scripted

        return open_scripted(self, run_directory)


ChatModelConfig = Annotated[
    EndpointConfig
    | LocalConfig
    | VllmConfig
    | ReplayConfig
    | ScriptedConfig,
    Field(discriminator="kind"),
]  # fmt: skip
"""Each has `label`, `inputs`, `leaves_host` and `open(run_directory)` (a context with a `ChatModel`)."""
