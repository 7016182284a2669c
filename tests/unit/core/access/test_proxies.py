"""The platform's proxy variables mean what they mean to Go programs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.access.proxies import Proxies

PROXY = "http://proxy.test:3128"


def goes_direct(url: str, no_proxy: str) -> bool:
    proxies = Proxies.of({"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy})
    return proxies.of_url(url) is None


@pytest.mark.parametrize(
    ("url", "no_proxy", "direct"),
    [
        pytest.param("https://10.1.2.3", "10.0.0.0/8", True, id="in a network"),
        pytest.param("https://11.1.2.3", "10.0.0.0/8", False, id="beside a network"),
        pytest.param(
            "https://10.1.2.3:6443", "192.168.0.0/16, 10.0.0.0/8,.svc", True, id="one of several, with blanks"
        ),
        pytest.param("https://10.1.2.3", "10.1.0.1/16", True, id="a network written with a host in it"),
        pytest.param("https://[fd00::1]:443", "fd00::/8", True, id="an IPv6 network"),
        pytest.param("https://[fd00::1]", "[fd00::1]:443", True, id="an IPv6 address with its port"),
        pytest.param("https://[fd00::1]", "fd00::1", True, id="an IPv6 address"),
        pytest.param("https://[fd00::1]", "::/0", True, id="all of IPv6"),
        pytest.param("https://10.0.0.1", "::/0", False, id="IPv4 is not IPv6"),
        pytest.param("http://127.0.0.2", "127.0.0.1,127.0.0.0/8", True, id="a network of the machine"),
        pytest.param("http://127.0.0.2", "", False, id="the machine itself is no exception"),
        pytest.param("https://10.1.2.3", "10.1.2.3", True, id="an address"),
        pytest.param("https://10.1.2.30", "10.1.2.3", False, id="an address is no prefix"),
        pytest.param("https://10.1.2.3:8443", "10.1.2.3:443", False, id="another port"),
        pytest.param("https://10.1.2.3", "10.1.2.3:443", True, id="the scheme's port"),
        pytest.param("https://phase.example", "phase.example", True, id="a name"),
        pytest.param("https://api.phase.example", "phase.example", True, id="below a name"),
        pytest.param("https://myphase.example", "phase.example", False, id="the end of a name"),
        pytest.param("https://phase.example", ".phase.example", False, id="a dot leaves the name itself out"),
        pytest.param("https://api.phase.example", ".phase.example", True, id="below a dot"),
        pytest.param("https://api.phase.example", "*.phase.example", True, id="an asterisk is a dot"),
        pytest.param("https://API.Phase.Example.", "PHASE.example", True, id="letters and the last dot do not count"),
        pytest.param("https://kubernetes.default.svc", ".svc,.cluster.local", True, id="the cluster"),
        pytest.param("http://phase.example:8000", "phase.example:8000", True, id="a name with its port"),
        pytest.param("http://phase.example:8000", "phase.example:80", False, id="a name with another port"),
        pytest.param("https://phase.example", "*", True, id="everything"),
        pytest.param("https://phase.example", "a,*,b", True, id="everything, among others"),
        pytest.param("https://phase.example", ",, ,", False, id="nothing"),
        pytest.param("https://phase.example", "10.0.0.0/99", False, id="no network"),
    ],
)
def test_a_host_is_reached_directly_if_no_proxy_names_it(url: str, no_proxy: str, direct: bool) -> None:
    assert goes_direct(url, no_proxy) is direct


def test_each_scheme_has_its_proxy_and_all_proxy_serves_the_rest() -> None:
    proxies = Proxies.of({"https_proxy": "secure.test:1", "ALL_PROXY": "https://other.test:2"})

    assert proxies.of_url("https://phase.example") == "http://secure.test:1"
    assert proxies.of_url("http://phase.example") == "https://other.test:2"
    assert Proxies.of({}).of_url("http://phase.example") is None


@pytest.mark.parametrize(
    "proxy", ["socks5://user:hunter22@proxy", "http://", "http://proxy:99999", "ftp://proxy", "http://["]
)
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(proxy: str) -> None:
    with pytest.raises(ValueError, match="HTTPS_PROXY") as caught:
        Proxies.of({"HTTPS_PROXY": proxy})

    assert "hunter22" not in str(caught.value)


@given(st.text(), st.text())
def test_no_text_is_too_strange(url: str, no_proxy: str) -> None:
    proxies = Proxies.of({"HTTP_PROXY": PROXY, "NO_PROXY": no_proxy})

    for each in (url, f"http://{url}"):
        assert proxies.of_url(each) in (None, PROXY)
