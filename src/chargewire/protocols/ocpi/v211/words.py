"""The words of OCPI 2.1.1: texts with their lengths, numbers, times, and every enumeration (types, mod_*)."""

from typing import Annotated, Literal

from msgspec import Meta

DATE_TIME = r"^\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\dZ?$"  # UTC, without offset or fractions
LATITUDE = r"^-?[0-9]{1,2}\.[0-9]{6}$"
LONGITUDE = r"^-?[0-9]{1,3}\.[0-9]{6}$"
TOKEN = r"^[!-~]+$"  # noqa: S105  (printable ASCII without blanks)
PARTY_ID = r"^[A-Za-z0-9]{3}$"
COUNTRY_2 = r"^[A-Za-z]{2}$"
CODE_3 = r"^[A-Z]{3}$"

# 2.1.1 says ASCII; names and addresses carry UTF-8 in practice, as 2.2 allows
Text255 = Annotated[str, Meta(max_length=255)]
Text512 = Annotated[str, Meta(max_length=512)]
Text100 = Annotated[str, Meta(max_length=100)]
Text64 = Annotated[str, Meta(max_length=64)]
Text45 = Annotated[str, Meta(max_length=45)]
Text16 = Annotated[str, Meta(max_length=16)]
Text10 = Annotated[str, Meta(max_length=10)]
Text4 = Annotated[str, Meta(max_length=4)]
Id36 = Annotated[str, Meta(min_length=1, max_length=36)]
Id39 = Annotated[str, Meta(min_length=1, max_length=39)]
EvseId = Annotated[str, Meta(min_length=1, max_length=48)]
Language = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z]$")]  # ISO 639-1
Country3 = Annotated[str, Meta(pattern=CODE_3)]  # ISO 3166-1 alpha-3
Country2 = Annotated[str, Meta(pattern=COUNTRY_2)]
PartyId = Annotated[str, Meta(pattern=PARTY_ID)]
Currency = Annotated[str, Meta(pattern=CODE_3)]  # ISO 4217
Url = Annotated[str, Meta(min_length=1, max_length=255)]
CredentialsToken = Annotated[str, Meta(min_length=1, max_length=64, pattern=TOKEN)]

DateTime = Annotated[str, Meta(pattern=DATE_TIME)]
Latitude = Annotated[str, Meta(pattern=LATITUDE)]
Longitude = Annotated[str, Meta(pattern=LONGITUDE)]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Weekday = Annotated[int, Meta(ge=1, le=7)]  # 1 = Monday
NotNegative = Annotated[int, Meta(ge=0)]

Status = Literal[
    "AVAILABLE", "BLOCKED", "CHARGING", "INOPERATIVE", "OUTOFORDER", "PLANNED", "REMOVED", "RESERVED", "UNKNOWN"
]  # fmt: skip
LocationType = Literal["ON_STREET", "PARKING_GARAGE", "UNDERGROUND_GARAGE", "PARKING_LOT", "OTHER", "UNKNOWN"]
Capability = Literal[
    "CHARGING_PROFILE_CAPABLE", "CREDIT_CARD_PAYABLE", "REMOTE_START_STOP_CAPABLE",
    "RESERVABLE", "RFID_READER", "UNLOCK_CAPABLE",
]  # fmt: skip
ConnectorFormat = Literal["SOCKET", "CABLE"]
ConnectorType = Literal[
    "CHADEMO", "DOMESTIC_A", "DOMESTIC_B", "DOMESTIC_C", "DOMESTIC_D", "DOMESTIC_E", "DOMESTIC_F", "DOMESTIC_G", "DOMESTIC_H",
    "DOMESTIC_I", "DOMESTIC_J", "DOMESTIC_K", "DOMESTIC_L", "IEC_60309_2_single_16", "IEC_60309_2_three_16",
    "IEC_60309_2_three_32", "IEC_60309_2_three_64", "IEC_62196_T1", "IEC_62196_T1_COMBO", "IEC_62196_T2",
    "IEC_62196_T2_COMBO", "IEC_62196_T3A", "IEC_62196_T3C", "TESLA_R", "TESLA_S",
]  # fmt: skip
PowerType = Literal["AC_1_PHASE", "AC_3_PHASE", "DC"]
Facility = Literal[
    "HOTEL", "RESTAURANT", "CAFE", "MALL", "SUPERMARKET", "SPORT", "RECREATION_AREA", "NATURE", "MUSEUM", "BUS_STOP",
    "TAXI_STAND", "TRAIN_STATION", "AIRPORT", "CARPOOL_PARKING", "FUEL_STATION", "WIFI",
]  # fmt: skip
ParkingRestriction = Literal["EV_ONLY", "PLUGGED", "DISABLED", "CUSTOMERS", "MOTORCYCLES"]
ImageCategory = Literal["CHARGER", "ENTRANCE", "LOCATION", "NETWORK", "OPERATOR", "OTHER", "OWNER"]
EnergySourceCategory = Literal["NUCLEAR", "GENERAL_FOSSIL", "COAL", "GAS", "GENERAL_GREEN", "SOLAR", "WIND", "WATER"]
EnvironmentalImpactCategory = Literal["NUCLEAR_WASTE", "CARBON_DIOXIDE"]
SessionStatus = Literal["ACTIVE", "COMPLETED", "INVALID", "PENDING"]
AuthMethod = Literal["AUTH_REQUEST", "WHITELIST"]
CdrDimensionType = Literal["ENERGY", "FLAT", "MAX_CURRENT", "MIN_CURRENT", "PARKING_TIME", "TIME"]
TariffDimensionType = Literal["ENERGY", "FLAT", "PARKING_TIME", "TIME"]
DayOfWeek = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
TokenType = Literal["OTHER", "RFID"]
WhitelistType = Literal["ALWAYS", "ALLOWED", "ALLOWED_OFFLINE", "NEVER"]
Allowed = Literal["ALLOWED", "BLOCKED", "EXPIRED", "NO_CREDIT", "NOT_ALLOWED"]
CommandType = Literal["RESERVE_NOW", "START_SESSION", "STOP_SESSION", "UNLOCK_CONNECTOR"]
CommandResponseType = Literal["NOT_SUPPORTED", "REJECTED", "ACCEPTED", "TIMEOUT", "UNKNOWN_SESSION"]
ModuleId = Literal["cdrs", "commands", "credentials", "locations", "sessions", "tariffs", "tokens"]
