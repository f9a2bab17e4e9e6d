"""What a rater is called in files and beside prompts: a name that says nothing elsewhere."""

from __future__ import annotations

import hashlib
import hmac

from labeling.models import User


def pseudonym(key: str, user: User) -> str:
    """A rater's name by the project's key: the same in a project, another in every other one."""
    return hmac.new(key.encode(), user.public_id.bytes, hashlib.sha256).hexdigest()[:32]
