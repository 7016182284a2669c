"""The pages as a site: searched, one copy a version, built by mkdocs-material."""
