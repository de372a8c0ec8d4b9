"""The one map from what servers answer to our errors. Not here: connections (transport), formats (wire).

Servers share status numbers and little else; the shapes below were seen on OpenAI, llama-server, vLLM, transformers
serve, Ollama and OpenRouter. Texts are for people: host, status, the server's own words shortened, never a key.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from scratchy.core.errors import (
    AuthenticationError,
    BadRequestError,
    ContextOverflowError,
    ImagesRefusedError,
    ModelNotFoundError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
)
from scratchy.providers.shapes import items, parse, record, text, whole

LONGEST_TEXT = 300
_LONGEST_WAIT = 366 * 86400.0  # seconds; who names a longer one means nothing by it

_OVERFLOW_CODES = {"exceed_context_size_error", "context_length_exceeded", "context_window_exceeded"}
# vLLM, transformers and older servers say it in words alone.
_OVERFLOW_WORDS = re.compile(
    r"maximum context length|context (length|size|window)[^.]{0,40}exceed"
    r"|exceed[^.]{0,60}(context|max_model_len|maximum length)"
    r"|prompt is too long|input (is|length)[^.]{0,60}(too long|exceed|max_length)|too many (input |prompt )?tokens",
    re.IGNORECASE,
)
_OVERFLOW_WINDOW = re.compile(
    r"(?:maximum (?:context )?length (?:is|of)|max_model_len\D{0,10}|max_length (?:is )?set to|>)\s*(\d+)",
    re.IGNORECASE,
)
_OVERFLOW_PROMPT = re.compile(
    r"(?:resulted in|requested|input_ids is|contains|too long:|prompt of|has)\s+(?:about )?(\d+)", re.IGNORECASE
)
# Seen on llama-server, OpenAI, vLLM, OpenRouter, Ollama, LM Studio, DeepSeek and Groq, in this order.
_IMAGE_WORDS = re.compile(
    r"image input is not supported|image_url is only supported|at most 0 image|not a multimodal model"
    r"|support(s|ed)? (for )?image|missing data required for image|not support (images|vision)"
    r"|unknown variant `image_url`|content must be a string",
    re.IGNORECASE,
)
_STATUS_OF_WORD = (
    ("rate_limit", 429),
    ("insufficient_quota", 429),
    ("overloaded", 529),
    ("authentication", 401),
    ("invalid_api_key", 401),
    ("permission", 403),
    ("not_found", 404),
    ("invalid_request", 400),
    *((code, 400) for code in _OVERFLOW_CODES),
)


@dataclass(frozen=True, slots=True)
class Server:
    """Who answered, as far as an error's text needs it. `key_variable`: where a key would come from, if one helps;
    `absent`: what to do when nobody answers there."""

    host: str
    key: str = ""
    key_variable: str = ""
    absent: str = ""

    def clean(self, words: str) -> str:
        """One line, shortened, without the key."""
        if len(self.key) >= 4:
            words = words.replace(self.key, "[key]")
        words = " ".join(words.split())
        return words if len(words) <= LONGEST_TEXT else words[:LONGEST_TEXT] + "…"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an error body says, whichever shape it has."""

    message: str = ""
    kind: str = ""  # the server's type and code words, joined
    status: int | None = None
    prompt_tokens: int | None = None
    window: int | None = None


def complaint_of(body: Any) -> Complaint:
    """Read an error body: a str (JSON, HTML, words) or parsed JSON; `error` may be an object, words, or JSON again."""
    if isinstance(body, str):
        parsed = parse(body)
        if isinstance(parsed, dict):
            return complaint_of(parsed)
        return Complaint() if body.lstrip()[:1] == "<" else Complaint(message=body)
    fields = record(body)
    error: Any = fields.get("error")
    if isinstance(error, str):
        return complaint_of(error)
    inner = record(error) or fields
    detail: Any = inner.get("detail")
    words = (
        text(inner.get("message")) or text(detail) or "; ".join(text(record(one).get("msg")) for one in items(detail))
    )
    if words.startswith("{") and isinstance(nested := parse(words), dict):
        return complaint_of(nested)
    code: Any = inner.get("code")
    return Complaint(
        message=words,
        kind=f"{text(inner.get('type'))} {text(code)}".strip(),
        status=whole(code) or whole(inner.get("status")),
        prompt_tokens=whole(inner.get("n_prompt_tokens")),
        window=whole(inner.get("n_ctx")),
    )


def refused(server: Server, status: int, body: str, *, model: str, retry_after: str | None = None) -> ProviderError:
    """The error for an HTTP answer other than 200. `retry_after` is the header as it came."""
    return _error(server, status, complaint_of(body), model, seconds_of(retry_after))


def refused_in_stream(server: Server, body: Any, *, model: str) -> ProviderError:
    """The error for an `{"error": …}` in the middle of a 200: the status is guessed from the server's words."""
    complaint = complaint_of(body)
    status = complaint.status if complaint.status and 400 <= complaint.status < 600 else None
    if status is None:
        kind = complaint.kind.lower()
        status = next((number for word, number in _STATUS_OF_WORD if word in kind), None)
    return _error(server, status or (400 if _overflows(complaint) else 500), complaint, model, None)


def _error(server: Server, status: int, complaint: Complaint, model: str, wait: float | None) -> ProviderError:
    said = server.clean(complaint.message)
    told = f"{server.host} answered {status}" + (f": {said}" if said else "")
    if status in (400, 413, 422, 500) and _overflows(complaint):
        return _overflow(server, complaint, said)
    if status in (400, 404, 415, 422, 500, 501) and about_images(complaint.message):
        return ImagesRefusedError(told)
    if status == 413:  # of bytes, not of tokens; images make it so. Leaving out what is old helps here too
        return ContextOverflowError(f"{told} (the request is larger than it takes)")
    by_status: dict[int, Callable[[], ProviderError]] = {
        401: lambda: AuthenticationError(_key_text(server, told)),
        403: lambda: AuthenticationError(_key_text(server, told)),
        404: lambda: ModelNotFoundError(_missing_text(told, complaint, model)),
        408: lambda: ProviderUnavailableError(told, retry_after=wait),
        429: lambda: _rate_limited(told, complaint, wait),
    }
    if status in by_status:
        return by_status[status]()
    if status >= 500:
        return ProviderUnavailableError(told, retry_after=wait)
    return BadRequestError(told)


def _missing_text(told: str, complaint: Complaint, model: str) -> str:
    if complaint.message and model:
        return f"{told} (`scratchy models` lists what there is; --model or /model chooses)"
    return f"{told}: there is no API at that address. A base URL mostly ends in /v1."


def _key_text(server: Server, told: str) -> str:
    if server.key:
        return f"{told} (the key was not accepted" + (f"; check {server.key_variable})" if server.key_variable else ")")
    return f"{told} (no key was sent" + (f"; set {server.key_variable})" if server.key_variable else ")")


def _rate_limited(told: str, complaint: Complaint, wait: float | None) -> RateLimitedError:
    error = RateLimitedError(told + (f" (try again in {span(wait)})" if wait else ""), retry_after=wait)
    if "insufficient_quota" in complaint.kind:
        error.retryable = False  # no waiting helps: the account is empty
    return error


def about_images(words: str) -> bool:
    """Whether a refusal is one of images."""
    return _IMAGE_WORDS.search(words) is not None


def _overflows(complaint: Complaint) -> bool:
    if any(code in complaint.kind for code in _OVERFLOW_CODES):
        return True
    return _OVERFLOW_WORDS.search(complaint.message) is not None


def _overflow(server: Server, complaint: Complaint, said: str) -> ContextOverflowError:
    prompt = complaint.prompt_tokens or _number(_OVERFLOW_PROMPT, complaint.message)
    window = complaint.window or _number(_OVERFLOW_WINDOW, complaint.message)
    sizes = f" ({prompt} tokens, {window} fit)" if prompt and window else ""
    message = f"The conversation is longer than the model's context{sizes}. {server.host} said: {said}"
    return ContextOverflowError(message, prompt_tokens=prompt, window=window)


def _number(pattern: re.Pattern[str], words: str) -> int | None:
    found = pattern.search(words)
    return int(found[1]) if found and len(found[1]) < 12 else None


def seconds_of(retry_after: str | None) -> float | None:
    """Retry-After as seconds from now: a number or an HTTP date; None for anything else, and for more than a year."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
        return seconds if 0 <= seconds <= _LONGEST_WAIT else None
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(retry_after)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        seconds = max(0.0, (date - datetime.now(UTC)).total_seconds())
        return seconds if seconds <= _LONGEST_WAIT else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def span(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.0f} days"
