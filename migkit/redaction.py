"""Keep secrets out of every text that leaves: passwords are registered once and removed everywhere.

Two lines of defence. Secrets seen while connecting are *registered*, and :func:`redact` removes each of their
written forms (raw, percent-encoded, JSON-escaped, HTML-escaped). Independently of that, anything that *looks* like a
credential in a URL or a libpq keyword string is removed by pattern.
"""

from __future__ import annotations

import html
import json
import re
from urllib.parse import quote, quote_plus

MASK = "***"

_secret_forms: set[str] = set()

_SECRET_KEYS = r"(?:password|passwd|pwd|sslpassword|secret|token|api_?key|passphrase)"
# user:password@host in any URL; the user may be empty.
_USERINFO = re.compile(r"(?P<head>[a-z][a-z0-9+.\-]*://[^\s/@:'\"]*:)(?P<secret>[^\s/'\"]+?)(?=@)", re.IGNORECASE)
# ?password=…, &sslpassword=…, and libpq's "password=…" / "password='…'".
_KEYWORD = re.compile(
    rf"(?P<head>(?<![A-Za-z0-9]){_SECRET_KEYS}\s*=\s*)(?P<secret>'(?:[^'\\]|\\.)*'|[^\s&'\";,)]+)",
    re.IGNORECASE,
)


def register_secret(secret: str | None) -> None:
    """Remember a secret, so that :func:`redact` removes it in every form it can be written in.

    Parameters
    ----------
    secret : str or None
        The secret as the driver receives it. Secrets shorter than three characters are left to the patterns:
        masking every "a" of a report would hide the report, not the password.
    """
    if not secret or len(secret) < 3:
        return
    escaped = json.dumps(secret)[1:-1]
    _secret_forms.update(
        {
            secret,
            quote(secret, safe=""),
            quote(secret),
            quote_plus(secret),
            escaped,
            json.dumps(secret, ensure_ascii=False)[1:-1],
            html.escape(secret),
            html.escape(escaped),
            repr(secret)[1:-1],
        }
    )


def redact(text: str) -> str:
    """Return `text` without secrets.

    Parameters
    ----------
    text : str
        Anything on its way to a screen, a file or an exception.

    Returns
    -------
    str
        The text with every registered secret and everything that looks like a credential replaced by ``***``.

    Examples
    --------
    >>> redact("could not reach postgresql://app:hunter2@db/app?sslpassword=x1y2")
    'could not reach postgresql://app:***@db/app?sslpassword=***'
    """
    for form in sorted(_secret_forms, key=len, reverse=True):
        if form in text:
            text = text.replace(form, MASK)
    text = _USERINFO.sub(lambda match: match["head"] + MASK, text)
    return _KEYWORD.sub(lambda match: match["head"] + MASK, text)
