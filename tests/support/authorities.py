"""One authority in place of the system's, for tests that make a context of TLS and meet no server of the Internet."""

from collections.abc import Iterator

import certifi
import pytest

_END = "-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True, scope="module")
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let OpenSSL find a single authority where it looks for the system's.

    It reads all of them for each context, of which a client of Phase and one of the API server have one each: 140
    certificates take 28 ms, more than most tests do.
    """
    file = tmp_path_factory.mktemp("authorities") / "one.pem"
    with open(certifi.where(), encoding="utf-8") as bundle:
        file.write_text(bundle.read().partition(_END)[0] + _END)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield
