"""What can be wrong with a key, or with what it is used for."""

from __future__ import annotations

from ai_semble.errors import AiSembleError

_HOW = "Send `Authorization: Bearer ais_...`; `./scripts/deploy.sh keys create NAME` makes a key."


class ApiKeyRequired(AiSembleError):
    """This environment answers only to callers with an API key, and the request has none."""

    code, status, title = "api_key_required", 401, "An API key is needed"
    hint = _HOW


class InvalidApiKey(AiSembleError):
    """The API key is not one of this environment's: mistyped, of another environment, or replaced by `rotate`."""

    code, status, title = "invalid_api_key", 401, "The API key is not valid"
    hint = (
        "`./scripts/deploy.sh keys list` shows the keys there are by their ids; "
        "`./scripts/deploy.sh keys create NAME` makes one."
    )


class ApiKeyExpired(AiSembleError):
    """The API key was right until its time was over."""

    code, status, title = "api_key_expired", 401, "The API key has expired"
    hint = "Make a new one: `./scripts/deploy.sh keys create NAME`."


class ApiKeyRevoked(AiSembleError):
    """The API key was taken back with `./scripts/deploy.sh keys revoke`."""

    code, status, title = "api_key_revoked", 401, "The API key was revoked"
    hint = "Make a new one: `./scripts/deploy.sh keys create NAME`."


class ApiKeyInUrl(AiSembleError):
    """The address of the request has an API key in it, where proxies and histories keep it."""

    code, status, title = "api_key_in_url", 400, "An API key has no place in a URL"
    hint = (
        "Send it as `Authorization: Bearer ais_...`. Others may have read it; replace it: "
        "`./scripts/deploy.sh keys rotate NAME`."
    )


class ScopeMissing(AiSembleError):
    """The API key is valid, but not for this part of the API."""

    code, status, title = "scope_missing", 403, "The API key does not reach this far"
    hint = "Make a key with this scope: `./scripts/deploy.sh keys create NAME --scope SCOPE`."


class ModelNotAllowed(AiSembleError):
    """The API key is valid, but not for this model."""

    code, status, title = "model_not_allowed", 403, "The API key is not for this model"
    hint = "`GET /v1/models` with the same key shows its models; name one of them in `model`."


class RateLimitExceeded(AiSembleError):
    """The API key has used up its requests, its tokens or its places of this minute."""

    code, status, title = "rate_limit_exceeded", 429, "The limit of the API key is reached"
    hint = "Wait as long as `Retry-After` says; `./scripts/deploy.sh keys list` shows the limits."


class TokensOverLimit(AiSembleError):
    """The request alone may use more tokens than its API key has in a whole minute, so it can never pass."""

    code, status, title = "tokens_over_limit", 422, "More tokens than the API key has in a minute"
    hint = "Ask for fewer `max_tokens`, shorten the prompt, or use a key with a higher limit."


class MaxTokensRequired(AiSembleError):
    """The API key has a limit of tokens, and nothing bounds the answer: the model server is another one's."""

    code, status, title = "max_tokens_required", 422, "`max_tokens` is missing"
    hint = "Say `max_tokens`, so that it can be counted before it is used."


class TooManyWrongKeys(AiSembleError):
    """Too many wrong API keys came from this address; a right one is let in at any time."""

    code, status, title = "too_many_wrong_keys", 429, "Too many wrong API keys"
    hint = "Stop sending this key; `./scripts/deploy.sh keys list` shows the keys there are by their ids."


class KeysUnavailable(AiSembleError):
    """The file of API keys cannot be read, so nobody can be told from anybody."""

    code, status, title = "keys_unavailable", 503, "The API keys cannot be read"
    hint = "`./scripts/deploy.sh keys list` says why. When `keys.sqlite` is damaged, delete it and make new keys."


class ApiKeyNotFound(AiSembleError):
    """There is no API key with this name or id."""

    code, status, title = "api_key_not_found", 404, "No such API key"
    hint = "`./scripts/deploy.sh keys list` shows them all."


class ApiKeyExists(AiSembleError):
    """Another API key has this name and is still valid."""

    code, status, title = "api_key_exists", 409, "The name is taken"
    hint = "Choose another name, or replace the key's secret: `./scripts/deploy.sh keys rotate NAME`."
