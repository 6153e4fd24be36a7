"""Libraries that would report their use to somebody are told not to, before they are imported."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

# ONNX Runtime's Linux builds keep a device id in ~/.cache/Microsoft and send events to their maker.
VARIABLES = {"ORT_DISABLE_TELEMETRY": "1"}


def switch_off(variables: MutableMapping[str, str] = os.environ) -> None:
    """Nothing that is done here is anybody else's business, whatever the environment says."""
    variables.update(VARIABLES)
