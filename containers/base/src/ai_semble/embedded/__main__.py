"""`python -m ai_semble.embedded`: what `up` starts in the background."""

from __future__ import annotations

import sys

from ai_semble.embedded.supervise import supervise
from ai_semble.errors import AiSembleError
from ai_semble.loading import load_config

try:
    supervise(load_config())
except AiSembleError as error:
    sys.exit(f"error: {error.detail}\nhint:  {error.user_hint}")
