"""The running environment whose description is checked against what it does."""

from tests.integration.conftest import api, hung_after_s, world

__all__ = ["api", "hung_after_s", "world"]
