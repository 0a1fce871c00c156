"""Signed addresses: one object, until a time, for those keys and that account."""

from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.requests import Request

from api.http import signing
from api.http.problems import HttpProblem
from api.http.signing import STEP_MS, Signer
from db.domain.clock import now

KEY, NEW = b"k" * 32, b"n" * 32


def request(address: str) -> Request:
    url = urlsplit(address)
    scope = {"type": "http", "method": "GET", "path": url.path, "query_string": url.query.encode(), "headers": [],
             "server": ("test", 80), "scheme": "http"}  # fmt: skip
    return Request(scope)


def refusal(signer: Signer, address: str) -> str:
    with pytest.raises(HttpProblem) as refused:
        signer.owner_of(request(address))
    assert refused.value.status == 403
    return refused.value.message


def test_an_address_names_its_owner_until_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer([KEY])
    address = signer.sign("/media/med_1", "usr_a", now() + 1000)
    assert signer.owner_of(request(address)) == "usr_a"
    end = int(parse_qs(urlsplit(address).query)["expires"][0])
    monkeypatch.setattr(signing, "now", lambda: end)
    assert signer.owner_of(request(address)) == "usr_a"
    monkeypatch.setattr(signing, "now", lambda: end + 1)
    assert "no longer valid" in refusal(signer, address)


def test_an_address_stays_the_same_for_a_quarter_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    signer, hour = Signer([KEY]), 3_600_000
    start = 1_700_000_100_000 // STEP_MS * STEP_MS + 1
    addresses = {signer.sign("/media/med_1", "usr_a", start + second * 1000 + hour) for second in range(0, 900, 60)}
    assert len(addresses) == 1
    assert signer.sign("/media/med_1", "usr_a", start + STEP_MS + hour) not in addresses
    assert STEP_MS == 15 * 60 * 1000


def test_an_address_that_was_altered_opens_nothing() -> None:
    signer = Signer([KEY])
    address = signer.sign("/media/med_1", "usr_a", now() + 1000)
    others = (
        address.replace("med_1", "med_2"), address.replace("usr_a", "usr_b"), address.replace("expires=1", "expires=2"),
        address.split("?")[0], address[:-3], address.replace("signature=", "signature=A"), "/media/med_1?signature=%00",
        signer.sign("/exports/med_1", "usr_a", now() + 1000).replace("exports", "media"),
    )  # fmt: skip
    for other in others:
        assert "not signed" in refusal(signer, other), other


def test_keys_rotate_and_processes_with_the_same_keys_take_each_others_addresses() -> None:
    old, rotating, new = Signer([KEY]), Signer([NEW, KEY]), Signer([NEW])
    before, after = (one.sign("/media/med_1", "usr_a", now() + 1000) for one in (old, rotating))
    assert Signer([KEY]).owner_of(request(before)) == "usr_a"
    assert rotating.owner_of(request(before)) == rotating.owner_of(request(after)) == new.owner_of(request(after))
    assert "not signed" in refusal(new, before)


def test_the_addresses_of_a_closed_account_open_nothing() -> None:
    closed: set[str] = set()
    signer = Signer([KEY], lambda: closed)
    address = signer.sign("/media/med_1", "usr_a", now() + 1000)
    assert signer.owner_of(request(address)) == "usr_a"
    closed.add("usr_a")
    assert "closed" in refusal(signer, address)
