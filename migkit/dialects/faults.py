"""The contract of what a failed statement's message tells, long after the driver's error is gone."""

from __future__ import annotations

import re
from typing import ClassVar


class Faults:
    """What an engine's messages tell.

    Attributes
    ----------
    constraint_codes : str
        A regular expression for the codes that ``explain_error`` puts into a message if a constraint was violated.
    """

    constraint_codes: ClassVar[str] = r"(?!)"

    def violates_constraint(self, message: str) -> bool:
        """Tell whether a message, as ``explain_error`` writes it, is about a violated constraint."""
        return re.search(self.constraint_codes, message) is not None
