"""How the layer of keys tells the routes whose request it is."""

from __future__ import annotations

from starlette.types import Scope

from orchestrator.access.deposits import Deposit
from orchestrator.access.keys import Key

_HOLDER, _DEPOSIT = "orchestrator.holder", "orchestrator.deposit"


def tell_holder(scope: Scope, key: Key) -> None:
    scope[_HOLDER] = key


def holder_of(scope: Scope) -> Key | None:
    """None when the request has no key, or the environment itself makes it."""
    key: Key | None = scope.get(_HOLDER)
    return key


def tell_deposit(scope: Scope, deposit: Deposit) -> None:
    scope[_DEPOSIT] = deposit


def deposit_of(scope: Scope) -> Deposit | None:
    """The tokens that are held for the request; None when its tokens are not counted."""
    deposit: Deposit | None = scope.get(_DEPOSIT)
    return deposit
