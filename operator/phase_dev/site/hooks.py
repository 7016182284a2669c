"""What mkdocs has to know of our pages; it runs in the environment of mkdocs, without this package.

Rule: pages are written for the repository, whose lists are indented by what their sign takes. Python-Markdown wants
four columns unless it is told otherwise.
"""

from typing import Any

from markdown import Markdown  # type: ignore[import-untyped]  # of the environment of mkdocs
from markdown.extensions import Extension  # type: ignore[import-untyped]

_COLUMNS = 2


class _Indented(Extension):  # type: ignore[misc]
    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - the name is Markdown's
        """Take what is indented by two columns as part of the item above."""
        md.tab_length = _COLUMNS
        # Its parsers have taken the number already. This extension is the first, so no other one's parser is lost.
        md.build_parser()


def on_config(config: Any) -> Any:
    """Add the extension to those that mkdocs.yml names."""
    config.markdown_extensions.insert(0, _Indented())
    return config
