"""Stations that others made: the PyPI package `ocpp` on `websockets`, a storm of them, and one behind TLS."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action, ClearCacheStatus
from websockets.asyncio.client import connect

from chargewire.charging import commands as ours
from chargewire.charging.facts import Booted, Metered, SessionEnded, SessionStarted, StatusReported, TokenShown
from chargewire.gateway.serve import server_tls
from gateway.memory_desk import House, open_house

AT = "2026-11-24T06:00:00Z"


class ForeignStation(ChargePoint):  # type: ignore[misc]
    @on(Action.clear_cache)  # type: ignore[untyped-decorator]
    def clear(self) -> call_result.ClearCache:
        return call_result.ClearCache(status=ClearCacheStatus.accepted)


async def test_a_station_made_with_the_ocpp_package_boots_charges_and_obeys(house: House) -> None:
    async with house.station() as plain:
        station = ForeignStation("CS-1", plain.socket)
        listening = asyncio.create_task(station.start())
        boot = await station.call(call.BootNotification("Model", "Vendor"), suppress=False)
        assert (boot.status, boot.interval) == ("Accepted", 60)
        await station.call(call.StatusNotification(1, "NoError", "Preparing"), suppress=False)
        assert (await station.call(call.Authorize("AA"), suppress=False)).id_tag_info["status"] == "Accepted"
        started = await station.call(call.StartTransaction(1, "AA", 5, AT), suppress=False)
        value = {"timestamp": AT, "sampledValue": [{"value": "7", "unit": "Wh"}]}
        await station.call(call.MeterValues(1, [value], started.transaction_id), suppress=False)
        await station.call(call.StopTransaction(9, AT, started.transaction_id, id_tag="AA"), suppress=False)
        await station.call(call.Heartbeat(), suppress=False)
        house.desk.ask(ours.ForgetTokens())
        await house.until(lambda: house.desk.settled)
        listening.cancel()
    kinds = [type(fact) for fact in house.desk.facts[:6]]
    assert kinds == [Booted, StatusReported, TokenShown, SessionStarted, Metered, SessionEnded]
    assert house.desk.settled[0].result == ours.Answer(status="Accepted")
    assert all(heard.flags == () for heard in house.desk.heard)


async def test_a_storm_of_a_thousand_stations_is_let_in_a_few_at_a_time() -> None:
    async with open_house(handshakes_at_once=20) as house:
        house.desk.admit_s = 0.005

        async def boot(number: int) -> None:
            async with connect(house.url(f"STORM-{number}"), subprotocols=["ocpp1.6"], open_timeout=30) as socket:  # type: ignore[list-item]
                await socket.send('[2,"1","BootNotification",{"chargePointVendor":"v","chargePointModel":"m"}]')
                assert '"Accepted"' in str(await socket.recv())

        await asyncio.gather(*(boot(number) for number in range(1000)))
        assert house.gateway.metrics.accepted == 1000
        assert house.desk.most_admitting <= 20


def _certificate(folder: Path) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(cert_file), str(key_file)


async def test_a_station_may_come_over_tls(tmp_path: Path) -> None:
    cert_file, key_file = _certificate(tmp_path)
    async with open_house(tls=server_tls(cert_file, key_file)) as house:
        trusting = ssl.create_default_context(cafile=cert_file)
        url = f"wss://localhost:{house.port}/ocpp/CS-1"
        async with connect(url, subprotocols=["ocpp1.6"], ssl=trusting) as socket:  # type: ignore[list-item]
            await socket.send('[2,"1","Heartbeat",{}]')
            assert str(await socket.recv()).startswith('[3,"1",')
        old = ssl.create_default_context(cafile=cert_file)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, OSError, ValueError)):
            await connect(url, ssl=old)
