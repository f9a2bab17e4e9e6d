"""What a log says of an address that was asked for: never the secret of a link.

Django writes the path of every refused request into its log, and a link of an invitation or for a
new password is refused while it still holds: from a platform that named no participant, say.
"""

from __future__ import annotations

import logging
import re

SECRET = re.compile(r"(/(?:join|password/[0-9a-f-]{36}|notices/no-mail)/)[^/\s]+")


class WithoutSecrets(logging.Filter):
    """Puts … where the secret stands in a record's words; lets every record through."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                SECRET.sub(r"\1…", one) if isinstance(one, str) else one for one in record.args
            )
        return True
