"""Keep secrets out of every text that leaves: passwords are registered once and removed everywhere.

Two lines of defence. Secrets seen while connecting are *registered*, and :func:`redact` removes each of their
written forms (raw, percent-encoded, JSON-escaped, HTML-escaped). Independently of that, anything that *looks* like a
credential in a URL or a libpq keyword string is removed by pattern.
"""

from __future__ import annotations

import html
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, quote_plus

MASK = "***"

_secret_forms: set[str] = set()

# What stands before the name of a password matters as little as what it is called: PGPASSWORD, MASTER_PASSWORD.
_SECRET_KEYS = r"(?<![A-Za-z0-9])(?:\w{0,40}(?:password|passwd|pwd)|secret|token|api_?key|passphrase)(?!\w)"
# user:password@host in any URL, also in one that is mistyped (scheme:/…, scheme//…, sql:…), up to the last "@" before
# space or a quote: passwords that should have been percent-encoded hold "/" and "@". A port and a path are no password.
_USERINFO = re.compile(
    r"(?P<head>(?:(?<![a-z])(?!https?://[^\s/@:'\"]*:\d{1,5}/)[a-z][a-z0-9+.\-]{0,40}:/+|(?<!:)//"
    r"|(?<![a-z])[a-z+]{0,20}(?:sql|maria|postgres)[a-z0-9+]{0,20}:(?=[^:]))"
    r"[^\s/:'\"]{0,200}:)(?P<secret>[^\s'\"]{1,2048})(?=@)",
    re.IGNORECASE,
)
_WHOLE_USERINFO = re.compile(r"(?P<head>^[^:/]*+:?+/*+[^:/]*+:)(?P<secret>.+)(?=@)", re.DOTALL)
# Text in single quotes, also within a program's text (\') or other quotes (''); an escaped quote may be the end, so all
# up to the last one goes; what is not closed ends with the word.
_SINGLE = (
    r"\\'.{0,300}?\\'|(?P<doubled>'{2,8})(?=[^\s,;)'])[^']{1,300}(?P=doubled)"
    r"|(?:[EN]|U&)?'(?:[^'\\]|''|\\[^'])*(?:\\'(?:[^<\n]{0,2000}')?|')|'[^\s'<]+"
    r"|\$(?P<tag>\w{0,60})\$.{0,300}?\$(?P=tag)\$"
)
_DOUBLE = r"""\\".{0,300}?\\"|"(?:[^"\\]|""|\\.)*\""""
# PASSWORD 'x' and its like, of roles, servers and user mappings; a type or a condition after the name is no secret.
_SQL_WORD = re.compile(
    rf"(?P<head>{_SECRET_KEYS}\s+"
    rf"|\b(?:CREATE|ALTER)\s+(?:ROLE|USER|GROUP)\b[^;']{{0,300}}?\bPASSWORD\s*)(?P<secret>{_SINGLE})",
    re.IGNORECASE | re.DOTALL,
)
# Where only a secret can follow, whatever its quotes.
_SQL_CLAUSE = re.compile(
    r"(?P<head>\bIDENTIFIED\s+(?:(?:WITH|VIA)\s+\S+\s+)?(?:BY|AS|USING)\s*(?:PASSWORD\s*\(?\s*)?"
    r"|\bREPLACE\s+|\bPASSWORD\s*\(\s*|\bPASSWORD\s+FOR\s+[^=;]{1,200}?\s{0,9}(?:=|\bTO\b)\s*"
    r"|\bOPTIONS\s*\([^;]{0,300}?\bPASSWORD\s+"
    rf"|{_SECRET_KEYS}[\"']?\s*(?:=>?|:)\s*(?:\w+\s*\(\s*)?)(?P<secret>{_SINGLE}|{_DOUBLE})",
    re.IGNORECASE | re.DOTALL,
)
# ?password=…, &sslpassword=…, libpq's and the environment's "password=…".
_KEYWORD = re.compile(rf"(?P<head>{_SECRET_KEYS}\s*=\s*)(?!NULL\b)(?P<secret>[^\s&'\";,)]+)", re.IGNORECASE)
_PATTERNS = (_USERINFO, _SQL_WORD, _SQL_CLAUSE, _KEYWORD)


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
    for pattern in _PATTERNS:
        text = pattern.sub(_masked, text)
    return text


def redact_url(url: str) -> str:
    """Return a URL that cannot be parsed without its password, whatever that holds: spaces and quotes, too."""
    return redact(_WHOLE_USERINFO.sub(_masked, url))


@contextmanager
def unheard_parser() -> Iterator[None]:
    """Keep sqlglot from logging each statement it does not understand, as it does: the text may hold a password."""
    logger = logging.getLogger("sqlglot")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _masked(match: re.Match[str]) -> str:
    # Double quotes stay, so that what was JSON is JSON afterwards.
    return match["head"] + (f'"{MASK}"' if match["secret"].startswith('"') else MASK)
