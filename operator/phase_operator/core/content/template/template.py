"""Templates, parsed and ready to be rendered.

Rule: a text is parsed once and rendered many times. An error in the text raises Invalid, which waits for an edit; an
error in the values raises Waiting.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from phase_operator.api.reasons import Reason
from phase_operator.core.content.template.evaluator import Rendering
from phase_operator.core.content.template.syntax import MAX_SOURCE_BYTES, MAX_TEXT_BYTES, Body, Data, Refused
from phase_operator.core.content.work_limit import WorkLimit
from phase_operator.core.errors import Invalid

# Kubernetes: TotalAnnotationSizeLimit, the bound of all annotations of an object.
MAX_METADATA_BYTES = 256 * 1024
# The openings of template syntax; a text without any of them is no template and stays unchanged, to the byte.
_MARKS = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders; `names` are the keys that it mentions, used in a rendering or not."""

    where: str
    names: frozenset[str]
    body: Body = field(repr=False)

    def render(
        self, values: Mapping[str, bytes], *, limit: int = MAX_TEXT_BYTES, work_limit: WorkLimit | None = None
    ) -> bytes:
        """Render with the target's values; raise Waiting if one is missing or unfit, or if the result is too large.

        The work counts for `work_limit`, or for a limit of its own.
        """
        return Rendering(values, self.where, limit, work_limit).render(self.body)


def compile_template(text: str, where: str = "template") -> Template:
    """Parse a template or raise Invalid; `where` begins every message about it, as in `template.data["app.ini"]`."""
    data = _encoded(text, where)
    if not any(mark in text for mark in _MARKS):
        return Template(where, frozenset(), (Data(data),))
    if len(data) > MAX_SOURCE_BYTES:
        raise Invalid(Reason.TEMPLATE_INVALID, f"{where} is larger than {MAX_SOURCE_BYTES:,} bytes; use several keys")
    try:
        body, names = _parsed(text)
    except Refused as refused:
        raise Invalid(Reason.TEMPLATE_INVALID, f"{where}, line {refused.line}: {refused.message}") from None
    return Template(where, names, body)


def render_text(
    text: str,
    values: Mapping[str, bytes],
    where: str = "template",
    *,
    limit: int = MAX_METADATA_BYTES,
    work_limit: WorkLimit | None = None,
) -> str:
    """Render a text for a label or an annotation. Their readers see `values`, so pass only what these may see."""
    return compile_template(text, where).render(values, limit=limit, work_limit=work_limit).decode()


def _encoded(text: str, where: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Invalid(Reason.TEMPLATE_INVALID, f"{where} is not valid Unicode text") from None


@lru_cache(maxsize=64)
def _parsed(text: str) -> tuple[Body, frozenset[str]]:
    # Imported by the first template: jinja2 takes 2 MiB of memory, and an operator without templates is spared them.
    from phase_operator.core.content.template.parser import parse

    return parse(text)
