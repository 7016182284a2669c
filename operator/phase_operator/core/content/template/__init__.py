"""Texts with placeholders over a target's values: a small, bounded part of Jinja's language."""

from phase_operator.core.content.template.syntax import MAX_WORK
from phase_operator.core.content.template.template import MAX_METADATA_BYTES, Template, compile_template, render_text

__all__ = ["MAX_METADATA_BYTES", "MAX_WORK", "Template", "compile_template", "render_text"]
