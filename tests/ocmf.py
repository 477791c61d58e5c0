"""Signed meter values as a meter makes them: OCMF with a real signature over the text, so that any changed byte shows."""

import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVE = ec.SECP256K1()


class Meter:
    """One meter with its key. `said` numbers what it signs, as OCMF's pagination does."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(CURVE)
        self.said = 0

    def signs(self, register_kwh: float, kind: str, at: str, **more: object) -> str:
        """One OCMF text. `kind`: B (begin), C (charging) or E (end) of a transaction; the sections are in the order of OCMF."""
        self.said += 1
        payload = {
            "FV": "1.0",
            "GI": "Foreign GmbH <Ladepunkt> & Söhne",
            "GS": "00178",
            "PG": f"T{self.said}",
            "MV": "Meters",
            "MS": "1EMH00 0000001",
            "IS": True,
            "IT": "ISO14443",
            "ID": "04AABBCC",
            "RD": [{"TM": f"{at} S", "TX": kind, "RV": register_kwh, "RI": "1-b:1.8.0", "RU": "kWh", "RT": "AC", "ST": "G"}],
            **more,
        }
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        signature = self._key.sign(text.encode(), ec.ECDSA(SHA256()))
        return f'OCMF|{text}|{{"SA":"ECDSA-secp256k1-SHA256","SD":"{signature.hex()}"}}'

    @property
    def key(self) -> str:
        """The public key as hexadecimal digits, as it stands on the meter."""
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()

    def signed(self, ocmf: str) -> bool:
        """Whether it is still what this meter signed."""
        _, payload, signature = ocmf.split("|")
        try:
            self._key.public_key().verify(bytes.fromhex(json.loads(signature)["SD"]), payload.encode(), ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True
