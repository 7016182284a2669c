"""The sealed fields of a secret, as a client that encrypts would have stored them.

Rule: the same record always gives the same texts, as rows in a database do.
"""

from dataclasses import dataclass, field

from phase_dev.server.damage import hex_field, sealed_field
from phase_dev.server.keys import digest_of, environment_keys
from phase_dev.server.model import Secret


@dataclass(frozen=True, slots=True)
class Ciphertexts:
    """The sealed fields of a secret."""

    key: str
    value: str = field(repr=False)
    comment: str
    key_digest: str


def seal_secret(secret: Secret) -> Ciphertexts:
    """Seal a secret; a value that is written again is another text, its key is not."""
    recipient = environment_keys(secret.environment).pair.public
    version = str(secret.version)

    def text(name: str, plain: str, *names: str) -> str:
        plain_bytes = plain.encode("utf-8", "surrogatepass")
        return sealed_field(plain_bytes, recipient, (secret.id, name, *names), secret.damage.get(name))

    return Ciphertexts(
        text("key", secret.key),
        text("value", secret.value, version),
        # No comment is no ciphertext either.
        text("comment", secret.comment, version) if secret.comment else "",
        hex_field(bytes.fromhex(digest_of(secret.environment, secret.key)), secret.damage.get("key_digest")),
    )
