"""JSON that any reader accepts."""

from __future__ import annotations

import json
import math
from typing import Any


def to_json(document: Any) -> str:
    """Readable JSON in ASCII; NaN and infinities, which JSON does not have, become null."""
    return json.dumps(_finite(document), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    """The same document with None for what is not finite."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
