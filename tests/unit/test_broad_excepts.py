"""Whatever catches every exception hides bugs: the places that do are few, and one list names them all."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import phase_operator
from phase_operator.reconcile import internal_errors

PRODUCT = Path(phase_operator.__file__).parent
BROAD = ("Exception", "BaseException")


def is_broad(caught: ast.expr | None) -> bool:
    """Return whether a clause that names these types, or none, catches every exception."""
    if isinstance(caught, ast.Tuple):
        return any(map(is_broad, caught.elts))
    return caught is None or ast.unparse(caught).rpartition(".")[2] in BROAD


def broad_places(node: ast.AST, place: str) -> Iterator[str]:
    """Yield the place of each use of `surviving`, each broad except and each broad `suppress`.

    A place is the class and the method, or the function.
    """
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.ExceptHandler(type=caught) if is_broad(caught):
                yield place
            case ast.Call(func=called, args=caught) if ast.unparse(called).rpartition(".")[2] == "suppress":
                yield from [place] * any(map(is_broad, caught))
            case ast.Call(func=ast.Name("surviving") | ast.Attribute(attr="surviving")):
                yield place
        is_outermost = isinstance(node, ast.Module | ast.ClassDef)
        is_named = isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        yield from broad_places(child, f"{place}.{child.name}" if is_named and is_outermost else place)  # type: ignore[attr-defined]  # the three have names


def test_every_broad_except_is_in_the_list_and_the_list_has_no_other() -> None:
    found = Counter(
        place
        for file in PRODUCT.rglob("*.py")
        for place in broad_places(
            ast.parse(file.read_text()),
            ".".join(file.relative_to(PRODUCT).with_suffix("").parts),
        )
    )

    listed = re.findall(r"^- `([\w.]+)`: .+\.$", internal_errors.__doc__ or "", re.MULTILINE)
    assert Counter(listed) == found


def test_every_form_of_a_broad_except_is_found() -> None:
    code = """
        try: pass
        except: pass
        class Some:
            async def one(self):
                async def inner():
                    try: pass
                    except (ValueError, builtins.Exception): raise
                try: pass
                except* BaseException: pass
            def two(self):
                with contextlib.suppress(KeyError, Exception), suppress(OSError): pass
            def lenient(self):
                with surviving(print), internal_errors.surviving(): pass
        def three():
            try: pass
            except (ValueError, OSError): pass
            except ExceptionGroup: pass
    """

    assert list(broad_places(ast.parse(dedent(code)), "m")) == [
        "m",
        "m.Some.one",
        "m.Some.one",
        "m.Some.two",
        "m.Some.lenient",
        "m.Some.lenient",
    ]
