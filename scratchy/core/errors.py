"""Every error that Scratchy raises on purpose. Their texts are for people: what happened, where, what to do next.

ScratchyError
├── SessionError                    .session_id
│   ├── SessionNotFoundError
│   ├── SessionExistsError          a new name is taken
│   ├── SessionCorruptedError       the file cannot be read; it was not touched
│   │   └── SessionVersionError     written by a newer Scratchy
│   └── SessionLockedError          another process holds it; .pid .host .since
│       └── SessionConflictError    another process changed it since we last looked
├── ProviderError                   the model could not be asked; .retryable says whether trying later may help
│   ├── AuthenticationError         no key, or a wrong one
│   ├── ModelNotFoundError
│   ├── BadRequestError             the server refused the request as it is
│   │   └── ImagesRefusedError      because of the images in it
│   ├── ContextOverflowError        longer than the model's window; .prompt_tokens .window
│   ├── RateLimitedError            .retry_after seconds
│   └── ProviderUnavailableError    no connection, cut off, 5xx, no model in the box
├── FormatError                     a file to import or export has no format that we know, or is damaged
└── ConfigError                     a setting that means nothing; names its flag, variable or file
    └── PriceUnknownError           there is a budget, and no price for the model

A store that fails in another way raises OSError, as the system gave it.
"""

import errno


class ScratchyError(Exception):
    """The base of all of them: `except ScratchyError` is safe to print."""


class SessionError(ScratchyError):
    def __init__(self, session_id: str, message: str) -> None:
        super().__init__(message)
        self.session_id = session_id


class SessionNotFoundError(SessionError):
    def __init__(self, session_id: str, message: str = "") -> None:
        super().__init__(session_id, message or f"Session '{session_id}' not found.")


class SessionExistsError(SessionError):
    pass


class SessionCorruptedError(SessionError):
    pass


class SessionVersionError(SessionCorruptedError):
    pass


class SessionLockedError(SessionError):
    """`pid` and `host` of the holder where they could be read; `since` is UTC ISO-8601."""

    def __init__(
        self,
        session_id: str,
        message: str,
        *,
        pid: int | None = None,
        host: str | None = None,
        since: str | None = None,
    ) -> None:
        super().__init__(session_id, message)
        self.pid = pid
        self.host = host
        self.since = since


class SessionConflictError(SessionLockedError):
    pass


class ProviderError(ScratchyError):
    retryable = False


class AuthenticationError(ProviderError):
    pass


class ModelNotFoundError(ProviderError):
    pass


class BadRequestError(ProviderError):
    pass


class ImagesRefusedError(BadRequestError):
    pass


class ContextOverflowError(ProviderError):
    """`prompt_tokens` and `window` in tokens, where the server told them."""

    def __init__(self, message: str, *, prompt_tokens: int | None = None, window: int | None = None) -> None:
        super().__init__(message)
        self.prompt_tokens = prompt_tokens
        self.window = window


class RateLimitedError(ProviderError):
    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ProviderUnavailableError(ProviderError):
    """`retry_after` seconds, where the server told them."""

    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class FormatError(ScratchyError, ValueError):
    pass


class ConfigError(ScratchyError):
    pass


class PriceUnknownError(ConfigError):
    pass


def save_problem(error: OSError | SessionError) -> str:
    """Why a save failed, in the words that the terminal and scripts rely on."""
    if isinstance(error, SessionError):
        return str(error)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "no space"
        case errno.EFBIG:
            return "no space (file size limit)"
        case errno.EIO:
            return "I/O error"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "permission"
        case errno.ENOENT | errno.ENOTDIR:
            return "folder missing"
        case _:
            return error.strerror or str(error)
