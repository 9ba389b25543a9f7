r"""Values computed from others: the expressions of pgbench's ``\set``, read as arithmetic and never as Python."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from migkit.errors import ConfigError
from migkit.load.parameters import Constant, Integers, Parameter

Values = dict[str, Any]
Evaluate = Callable[[Values, np.random.Generator], Any]


@dataclass(frozen=True)
class Assignment:
    r"""One ``\set``: a name, and the expression it stands for.

    Attributes
    ----------
    name : str
        What is set.
    text : str
        The expression as pgbench writes it: ``random(1, 100000 * :scale)``.
    """

    name: str
    text: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the expression uses."""
        return tuple(dict.fromkeys(_NAME.findall(self.text)))

    def as_parameter(self, known: Mapping[str, Any]) -> Parameter | None:
        """Return a parameter that draws alike, where it is a number or ``random`` of numbers; else ``None``.

        Parameters
        ----------
        known : mapping
            Names that always have one value.
        """
        tree = _parse(self.text)
        if not set(self.names) <= set(known):
            return None
        is_random = isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id.lower() == "random"
        parts = tree.args if is_random and isinstance(tree, ast.Call) else [tree]
        if any(isinstance(node, ast.Call) for part in parts for node in ast.walk(part)):
            return None
        nobody = np.random.default_rng(0)
        values = [_compile(part, self.text)(dict(known), nobody) for part in parts]
        if is_random:
            return Integers(int(values[0]), int(values[1])) if len(values) == 2 else None
        return Constant(values[0])

    def compiled(self) -> Evaluate:
        """Return the expression as a function of the values so far.

        Raises
        ------
        ConfigError
            If it is none that is understood here.
        """
        return _compile(_parse(self.text), self.text)


def _parse(text: str) -> ast.expr:
    try:
        return ast.parse(_NAME.sub(r"v_\1", text).replace("^", "**").strip(), mode="eval").body
    except SyntaxError:
        raise _not_understood(text) from None


_NAME = re.compile(r"(?<!:):([A-Za-z_]\w*)")


def _divide(left: Any, right: Any) -> Any:
    """Divide as SQL does: integers stay integers, towards zero."""
    if isinstance(left, int) and isinstance(right, int):
        return abs(left) // abs(right) * (-1 if (left < 0) != (right < 0) else 1)
    return left / right


def _remainder(left: Any, right: Any) -> Any:
    return left - right * _divide(left, right) if isinstance(left, int) else math.fmod(left, right)


_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
    ast.Mod: _remainder,
    ast.Pow: operator.pow,
}


def _compile(node: ast.expr, text: str) -> Evaluate:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        constant = node.value
        return lambda values, chance: constant
    if isinstance(node, ast.Name) and node.id.startswith("v_"):
        name = node.id[2:]
        return lambda values, chance: values[name]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner, sign = _compile(node.operand, text), -1 if isinstance(node.op, ast.USub) else 1
        return lambda values, chance: sign * inner(values, chance)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right, apply = _compile(node.left, text), _compile(node.right, text), _OPERATORS[type(node.op)]
        return lambda values, chance: apply(left(values, chance), right(values, chance))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _call(node.func.id.lower(), [_compile(argument, text) for argument in node.args], text)
    raise _not_understood(text)


def _call(name: str, arguments: list[Evaluate], text: str) -> Evaluate:
    counts, function = _FUNCTIONS.get(name, ((), None))
    if function is None or (counts and len(arguments) not in counts):
        raise _not_understood(text)
    apply = function
    return lambda values, chance: apply(chance, *(argument(values, chance) for argument in arguments))


def _random(chance: np.random.Generator, low: Any, high: Any) -> int:
    return int(chance.integers(int(low), int(high), endpoint=True))


def _exponential(chance: np.random.Generator, low: Any, high: Any, parameter: Any) -> int:
    """As pgbench: the larger the parameter, the more often the low values."""
    cut = math.exp(-parameter)
    drawn = -math.log(cut + (1 - cut) * (1 - chance.random())) / parameter
    return int(low) + int((int(high) - int(low) + 1) * min(drawn, 1 - 1e-12))


def _gaussian(chance: np.random.Generator, low: Any, high: Any, parameter: Any) -> int:
    """As pgbench: a bell cut off `parameter` deviations from the middle."""
    while True:
        drawn = float(chance.standard_normal())
        if -parameter <= drawn < parameter:
            break
    return int(low) + int((int(high) - int(low) + 1) * (drawn + parameter) / (2 * parameter))


def _zipfian(chance: np.random.Generator, low: Any, high: Any, parameter: Any) -> int:
    """As pgbench: rejection sampling after Devroye, which needs a parameter above 1."""
    count, power = int(high) - int(low) + 1, 2.0 ** (parameter - 1)
    while True:
        u, v = 1 - chance.random(), chance.random()
        x = math.floor(u ** (-1 / (parameter - 1)))
        t = (1 + 1 / x) ** (parameter - 1)
        if v * x * (t - 1) / (power - 1) <= t / power and x <= count:
            return int(low) + int(x) - 1


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda chance, *arguments: function(*arguments)


_FUNCTIONS: Mapping[str, tuple[tuple[int, ...], Callable[..., Any] | None]] = {
    "random": ((2,), _random),
    "random_exponential": ((3,), _exponential),
    "random_gaussian": ((3,), _gaussian),
    "random_zipfian": ((3,), _zipfian),
    "abs": ((1,), _plain(abs)),
    "double": ((1,), _plain(float)),
    "int": ((1,), _plain(int)),
    "sqrt": ((1,), _plain(math.sqrt)),
    "exp": ((1,), _plain(math.exp)),
    "ln": ((1,), _plain(math.log)),
    "pi": ((0,), _plain(lambda: math.pi)),
    "mod": ((2,), _plain(_remainder)),
    "pow": ((2,), _plain(operator.pow)),
    "power": ((2,), _plain(operator.pow)),
    "least": ((), _plain(min)),
    "greatest": ((), _plain(max)),
}


def _not_understood(text: str) -> ConfigError:
    return ConfigError(
        f"This expression is not understood: {text.strip()}",
        next_step="Numbers, :names, + - * / % and the functions " + ", ".join(sorted(_FUNCTIONS)) + " are.",
    )
