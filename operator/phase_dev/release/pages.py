"""The pages that name people and addresses: written from release/owner.toml by `make generate`.

Rule: as long as a field is empty, the page says that nobody is named yet, and names nobody.
"""

from phase_dev.release.owner import FILE, Owner

_NOTE = f"# Generated from {FILE} by `make generate`; do not edit.\n"
_UNNAMED = f"Nobody is named yet: [{FILE}]({FILE}) is where the owner of the repository says who."


def codeowners(owner: Owner) -> str:
    """Return .github/CODEOWNERS: the maintainers are asked to review everything."""
    accounts = " ".join(f"@{each.github}" for each in owner.maintainers if each.github)
    return _NOTE + (
        f"* {accounts}\n" if accounts else "# Nobody is named there yet, so nobody is asked for a review.\n"
    )


def maintainers(owner: Owner) -> str:
    """Return the list for MAINTAINERS.md."""
    lines = [f"- {each.name} ([@{each.github}](https://github.com/{each.github}))" for each in owner.maintainers]
    return "\n".join(lines) or _UNNAMED


def reporting(owner: Owner) -> str:
    """Return how to report a vulnerability, for SECURITY.md."""
    contact = owner.security_contact
    if contact.startswith("mailto:"):
        return f"Write to [{contact.removeprefix('mailto:')}]({contact}). Only the maintainers read it."
    if contact:
        return f"Use the private form: <{contact}>. Only the maintainers see the report."
    return (
        "Use GitHub's private vulnerability reporting: on the page *Security* of the repository that you got this\n"
        "operator from, *Report a vulnerability*. Only its maintainers see the report. The owner of the repository\n"
        f"names the address of the form in [{FILE}]({FILE}); then it stands here."
    )


def contacts(owner: Owner) -> str:
    """Return .github/ISSUE_TEMPLATE/config.yml: where to go with what is no issue."""
    links = []
    if owner.docs:
        links.append((owner.docs, "Documentation", "How to install, use and operate it, and what an error means."))
    if owner.security_contact:
        links.append((owner.security_contact, "A vulnerability", "In private, please; never as an issue."))
    lines = [_NOTE + "blank_issues_enabled: false\n"]
    if links:
        lines.append("contact_links:\n")
    for url, name, about in links:
        lines.append(f"  - name: {name}\n    url: {url}\n    about: {about}\n")
    return "".join(lines)
