"""Rules in CEL, evaluated by cel-python with what Kubernetes adds.

Rule: `&&`, `||` and the macros stop as soon as they are decided, and an error is a value until then, as CEL defines it.
cel-python evaluates both sides, which takes seconds for the targets of a large resource, and raises errors of
`exists_one`, which `||` has to outweigh. Nothing is logged: its log repeats every value.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any

from celpy import Environment, InterpretedRunner
from celpy.adapter import json_to_cel
from celpy.celtypes import BoolType, ListType, StringType
from celpy.evaluation import CELEvalError, Evaluator

logging.getLogger("celpy").setLevel(logging.CRITICAL)
MACROS = frozenset({"all", "exists", "exists_one"})


class _Evaluator(Evaluator):
    """Evaluates no more than decides."""

    def conditionalor(self, tree: Any) -> Any:
        """Evaluate `a || b`."""
        return self._decided(tree, by=True)

    def conditionaland(self, tree: Any) -> Any:
        """Evaluate `a && b`."""
        return self._decided(tree, by=False)

    def member_dot_arg(self, tree: Any) -> Any:
        """Evaluate `a.all(b, c)` and its like; any other call is cel-python's."""
        called, name, *arguments = tree.children
        if name not in MACROS:
            return super().member_dot_arg(tree)
        items = self.visit(called)
        if isinstance(items, CELEvalError):
            return items
        variable, body = arguments[0].children
        [identifier] = (each.children[0].value for each in variable.find_data("ident"))
        found = (self._inside(identifier, item, body) for item in items)
        return _exactly_one(found) if name == "exists_one" else _any_is(found, by=name == "exists")

    def _decided(self, tree: Any, *, by: bool) -> Any:
        if len(tree.children) == 1:
            return self.visit(tree.children[0])
        return _any_is((self.visit(each) for each in tree.children), by=by)

    def _inside(self, identifier: str, item: Any, body: Any) -> Any:
        activation = self.activation.nested_activation(vars={identifier: item})
        return type(self)(body, activation).visit(body)


class _Runner(InterpretedRunner):
    """A rule that is ready to be evaluated."""

    def evaluate(self, context: Any) -> Any:
        """Evaluate the rule; raise CELEvalError."""
        return _Evaluator(self.ast, self.new_activation()).evaluate(context)


def program(rule: str) -> Callable[[Any], bool]:
    """Return a function that says whether a rule is true of a value of JSON."""
    environment = Environment(runner_class=_Runner)
    runner = environment.program(environment.compile(rule), functions=FUNCTIONS)

    def holds(value: Any) -> bool:
        try:
            return bool(runner.evaluate({"self": json_to_cel(value)}))
        except CELEvalError:
            return False

    return holds


def _any_is(found: Iterator[Any], *, by: bool) -> Any:
    """Return `by` if one of the values is that; else the first error, else the contrary."""
    error = None
    for each in found:
        if isinstance(each, CELEvalError):
            error = error or each
        elif bool(each) is by:
            return each
    return error if error is not None else BoolType(not by)


def _exactly_one(found: Iterator[Any]) -> Any:
    """Return whether exactly one of the values is true; the first error instead, if there is one."""
    number = 0
    for each in found:
        if isinstance(each, CELEvalError):
            return each
        number += bool(each)
    return BoolType(number == 1)


def _upper_ascii(text: str) -> StringType:
    return StringType("".join(sign.upper() if sign.isascii() else sign for sign in text))


# Kubernetes' extension of strings, as far as our rules use it.
FUNCTIONS: dict[str, Any] = {
    "split": lambda text, separator: ListType(map(StringType, text.split(separator))),
    "replace": lambda text, old, new: StringType(text.replace(old, new)),
    "upperAscii": _upper_ascii,
}
