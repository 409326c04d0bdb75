"""API keys: authentication, test and live mode, restricted permissions."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from fake_stripe.errors import StripeError


@dataclass(frozen=True)
class Key:
    """An API key. `may` is None for a secret key, else resource -> "read" or "write", which includes read."""

    secret: str
    may: Mapping[str, str] | None = None

    @property
    def livemode(self) -> bool:
        return self.secret.startswith(("sk_live_", "rk_live_"))

    def allows(self, resource: str, access: str) -> bool:
        if self.may is None:
            return True
        granted = self.may.get(resource)
        return granted == "write" or (granted == "read" and access == "read")


class Keys:
    def __init__(self, secret_key: str) -> None:
        self._keys = {secret_key: Key(secret_key)}

    def add(self, secret: str, may: Mapping[str, str] | None = None) -> None:
        """Add a key; with `may` a restricted one, such as {"products": "write", "prices": "read"}."""
        self._keys[secret] = Key(secret, may)

    def revoke(self, secret: str) -> None:
        self._keys.pop(secret, None)

    def authenticate(self, header: str | None) -> Key:
        """The key in an Authorization header (Bearer, or Basic with the key as user name), or a 401."""
        secret = _secret(header or "")
        if not secret:
            message = "You did not provide an API key: send it as a bearer token in the Authorization header."
            raise StripeError(message, status=401, executed=False, headers=CHALLENGE)
        key = self._keys.get(secret)
        if key is None:
            message = f"Invalid API Key provided: {masked(secret)}"
            raise StripeError(message, status=401, executed=False, headers=CHALLENGE)
        return key


CHALLENGE = {"Www-Authenticate": 'Basic realm="Stripe"'}


def authorize(key: Key, resource: str, access: str) -> None:
    """Raise the 403 of a restricted key that lacks `access` ("read" or "write") to `resource`."""
    if not key.allows(resource, access):
        message = (
            f"The provided key '{masked(key.secret)}' does not have the required permissions for this "
            f"endpoint. Give it {access} access to {resource}."
        )
        raise StripeError(message, status=403, executed=False)


def masked(secret: str) -> str:
    """A key as shown in error messages: the first characters, asterisks, the last four."""
    if len(secret) < 12:
        return secret[:3] + "*" * max(0, len(secret) - 3)
    return secret[:8] + "*" * min(20, len(secret) - 12) + secret[-4:]


def _secret(header: str) -> str:
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode("utf-8").partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
