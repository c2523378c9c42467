from hypothesis import given
from hypothesis import strategies as st

from webhooks.signature import is_signed, sign

# The test vector of https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
SECRET, BODY = "It's a Secret to Everybody", b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_githubs_own_example_is_signed() -> None:
    assert sign(BODY, SECRET) == SIGNATURE
    assert is_signed(BODY, SIGNATURE, [SECRET])


def test_while_rotating_both_secrets_sign() -> None:
    assert is_signed(BODY, SIGNATURE, ["new", SECRET])


def test_no_signature_sha1_or_a_wrong_one_is_not_signed() -> None:
    for signature in (
        None,
        "",
        "sha1=" + SIGNATURE[7:47],
        SIGNATURE[7:],
        SIGNATURE[:-1],
        SIGNATURE.upper(),
        "sha256=ä",
    ):
        assert not is_signed(BODY, signature, [SECRET])
    assert not is_signed(BODY, SIGNATURE, [])
    assert not is_signed(BODY + b" ", SIGNATURE, [SECRET])


@given(st.binary(), st.text())
def test_any_text_as_signature_is_refused(body: bytes, signature: str) -> None:
    assert not is_signed(body, signature, ["secret"])
