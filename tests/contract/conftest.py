"""The running environment whose description is checked against what it does."""

from tests.integration.conftest import api, world

__all__ = ["api", "world"]
