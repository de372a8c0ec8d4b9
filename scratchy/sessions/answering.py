"""Which model answers in a window: the choice for the current session, the person's own with /model, letting go of it.

Not here: the rules of the choice (compose/providers.py), turns (conversation.py).
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from scratchy import compose
from scratchy.compose import Choice, Config
from scratchy.compose.seen import note_models
from scratchy.core.errors import ProviderError
from scratchy.core.ports import Provider
from scratchy.core.text import reveal, reveal_line


class Answering:
    """`current`: None while none is chosen. `said` shows one sentence to the person."""

    def __init__(self, machine: str, say: Callable[[str], None]) -> None:
        self.current: Choice | None = None
        self._machine = machine
        self._say = say
        self._previous: Choice | None = None  # of the session before; kept if the next one chooses the same
        self._by_person: Choice | None = None
        self._told: Choice | None = None
        self._noted: Choice | None = None
        self._choosing = asyncio.Lock()

    async def choice(self, config: Config, session: Mapping[str, Any]) -> Choice:
        """`session` is the current session's metadata. A failure is not kept: the next turn looks again."""
        async with self._choosing:
            if self.current is None:
                choice = await compose.choose_provider(config, session, self._machine)
                if self._previous is not None and self._previous.same_as(choice):
                    choice = choice._replace(provider=self._previous.provider)
                elif self._previous is not None:
                    await self._previous.provider.aclose()
                self._previous = None
                self.current = choice
            return self.current

    async def prepared(self, config: Config, session: Mapping[str, Any]) -> Choice:
        """The choice, ready to answer; another model than the session was held with is told, once. Raises:
        ProviderError, ConfigError."""
        choice = await self.choice(config, session)
        before = str(session.get("provider") or ""), str(session.get("model") or "")
        await choice.provider.prepare()
        if choice is not self._noted:
            self._noted = choice
            await asyncio.to_thread(note_models, choice.provider.name, [choice.provider.model])
        if choice is not self._told and choice is not self._by_person:
            self._told = choice
            self._say_change(choice, *before, by_flag=config.by_flag("model"))
        return choice

    async def use(self, spec: str, config: Config, session: Mapping[str, Any]) -> Choice:
        """The person chose: `model`, `provider` or `provider/model`. Raises: ConfigError, ProviderError, ValueError."""
        first, slash, rest = spec.partition("/")
        if first.lower() in compose.PROVIDERS:
            name, model = first.lower(), rest if slash else None
        elif spec.lower().endswith(".gguf"):
            name, model = "local", spec
        else:
            name, model = (self.current or await self.choice(config, session)).provider.name, spec
        base_url = config.base_url if name == "openai" else None
        provider = compose.open_provider(name, model=model, base_url=base_url, environ=compose.with_keys(config))
        try:
            await provider.prepare()
        except ProviderError:
            await provider.aclose()
            raise
        await self._doubt(provider, model)
        async with self._choosing:
            await self.close()
            url = compose.provider_url(name, base_url)
            self.current = Choice(provider, "chosen with /model", compose.endpoint_of(url), wanted=model)
            self._by_person = self.current
        return self.current

    def leave(self, *, new: bool) -> None:
        """Another session is current. A `new` one goes on with what the person chose here; others have their own."""
        if new and self.current is not None and self.current is self._by_person:
            return
        self._previous, self.current = self.current or self._previous, None

    async def close(self) -> None:
        for choice in (self.current, self._previous):
            if choice is not None:
                await choice.provider.aclose()
        self.current = self._previous = None

    async def _doubt(self, provider: Provider, model: str | None) -> None:
        """Say so when the provider lists models, and this is none of them: a slip is noticed before a message is."""
        try:
            names = [info.name for info in await compose.list_models(provider)]
        except ProviderError:
            return
        if model and names and not any(name in (model, f"{model}:latest") for name in names):
            shown = ", ".join(map(reveal_line, names[:8])) + (" …" if len(names) > 8 else "")
            self._say(f"{provider.name} does not list a model '{model}'. It lists: {shown}.")

    def _say_change(self, choice: Choice, provider: str, model: str, *, by_flag: bool) -> None:
        now = choice.provider
        if provider and provider != now.name:
            self._say(f"This session was held with {reveal(provider)}; {now.name} goes on with it ({choice.why}).")
        elif provider and model and model != now.model and not by_flag:
            former = reveal(model)
            self._say(
                f"This session was held with {former}; {now.model} goes on with it ({choice.why}). "
                f"`/model {former}` (or --model {former}) takes the former."
            )
