"""The instance key: what secrets are hashed and sealed with. It lives in a file beside the database, never in it."""

import hmac
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
NONCE_BYTES = 12


class BadKey(Exception):
    """The key file holds no key."""


class Unsealable(Exception):
    """The text was not sealed by this instance for this purpose, or was changed since."""


class Keys:
    """Hashes secrets that we only compare, seals those that we must send or give back.

    Each use has a key of its own, derived from the instance key by HKDF (RFC 5869).
    """

    def __init__(self, instance_key: bytes) -> None:
        """Raises BadKey unless the key has 32 bytes."""
        if len(instance_key) != KEY_BYTES:
            raise BadKey(f"an instance key has {KEY_BYTES} bytes, not {len(instance_key)}")
        self._hashing = _derived(instance_key, b"hash")
        self._sealing = AESGCM(_derived(instance_key, b"seal"))

    @classmethod
    def load(cls, path: Path) -> "Keys":
        """The key in a file; a new random one, readable by its owner only, if there is no file yet. Raises BadKey."""
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(_decoded(path.read_text()))
        key = secrets.token_bytes(KEY_BYTES)
        with os.fdopen(handle, "w") as file:
            file.write(key.hex() + "\n")
            file.flush()
            os.fsync(file.fileno())
        return cls(key)

    @classmethod
    def random(cls) -> "Keys":
        """A key that is kept nowhere."""
        return cls(secrets.token_bytes(KEY_BYTES))

    def hash(self, secret: str | bytes) -> str:
        """HMAC-SHA-256 of a random machine secret, in hex. Not for what people choose as a password."""
        return hmac.digest(self._hashing, secret.encode() if isinstance(secret, str) else secret, "sha256").hex()

    def matches(self, hashed: str, secret: str | bytes) -> bool:
        """Whether `hashed` is the hash of the secret, in constant time."""
        return hmac.compare_digest(hashed.encode(), self.hash(secret).encode())  # what comes from outside need not be ASCII

    def seal(self, text: str, context: str) -> str:
        """The text, readable and changeable only by `open` with the same context. URL-safe."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return urlsafe_b64encode(nonce + self._sealing.encrypt(nonce, text.encode(), context.encode())).decode().rstrip("=")

    def open(self, sealed: str, context: str) -> str:
        """What was sealed. Raises Unsealable."""
        try:
            raw = urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            return self._sealing.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context.encode()).decode()
        except (ValueError, InvalidTag) as error:
            raise Unsealable("not sealed here, or not for this") from error


def _derived(instance_key: bytes, use: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"chargewire " + use).derive(instance_key)


def _decoded(text: str) -> bytes:
    try:
        return bytes.fromhex(text.strip())
    except ValueError as error:
        raise BadKey("the key file holds no hexadecimal key") from error
