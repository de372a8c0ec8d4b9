"""What went wrong, as a JSON-RPC error with a sentence for the person. Not here: those of the wire (wire.py)."""

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from acp import RequestError

from scratchy.acp.wire import INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST
from scratchy.core.errors import ScratchyError, SessionNotFoundError, save_problem
from scratchy.core.text import clean

NOT_FOUND = -32002  # the protocol's own: a resource that is not there

log = logging.getLogger("scratchy.acp")
P = ParamSpec("P")
T = TypeVar("T")


def wrong(text: str) -> RequestError:
    """A parameter that means nothing."""
    return RequestError(INVALID_PARAMS, text)


def untimely(text: str) -> RequestError:
    """A request that cannot be answered as things stand."""
    return RequestError(INVALID_REQUEST, text)


def as_request_error(error: Exception) -> RequestError:
    match error:
        case RequestError():
            return error
        case SessionNotFoundError():
            return RequestError(NOT_FOUND, clean(str(error)))
        case ScratchyError():
            return RequestError(INTERNAL_ERROR, clean(str(error)))
        case ValueError() | TypeError():
            return wrong(clean(str(error)))
        case OSError():
            where = f" ({error.filename})" if error.filename else ""
            return RequestError(INTERNAL_ERROR, clean(f"The disk refused: {save_problem(error)}{where}."))
        case _:
            log.error("unexpected", exc_info=error)
            text = f"Something unexpected went wrong ({type(error).__name__}: {error}). What was said is stored."
            return RequestError(INTERNAL_ERROR, clean(text))


def failed_turn(error: Exception, *, kept: bool) -> RequestError:
    """Why a prompt has no answer, and what became of it."""
    found = as_request_error(error)
    stop = "" if str(found).endswith((".", "!", "?", "`")) else "."
    what = "Your message is kept; send it again to retry." if kept else "The message was not sent."
    return RequestError(found.code, f"{found}{stop} {what}")


def not_saved(why: str) -> RequestError:
    return RequestError(INTERNAL_ERROR, f"not saved: {why}. The turn ended there; the next save writes it first.")


def told(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """A method of the agent that raises nothing but RequestError (and a cancellation)."""

    @functools.wraps(method)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await method(*args, **kwargs)
        except Exception as error:
            raise as_request_error(error) from None

    return call
