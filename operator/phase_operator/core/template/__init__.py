"""Texts with placeholders over a target's values: a small, bounded part of Jinja's language."""

from phase_operator.core.template.compiled import MAX_METADATA_BYTES, Template, compile_template, render_text
from phase_operator.core.template.language import MAX_WORK

__all__ = ["MAX_METADATA_BYTES", "MAX_WORK", "Template", "compile_template", "render_text"]
