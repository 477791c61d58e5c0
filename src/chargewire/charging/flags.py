"""What people should look at: every flag that a session or CDR can carry, and what it means.

A flag is seen, counted and shown. By itself it never holds, drops or corrects anything.
"""

NO_TIME = "no-time"
CLOCK_UNSET = "clock-unset"
CLOCK_LOCAL = "clock-local"
CLOCK_AHEAD = "clock-ahead"

UNREADABLE_VALUE = "unreadable-value"
UNKNOWN_UNIT = "unknown-unit"
UNIT_SUSPECT = "unit-suspect"
NEGATIVE_ENERGY = "negative-energy"
REGISTER_FELL = "register-fell"
REGISTER_DIPPED = "register-dipped"
REGISTER_JUMPED = "register-jumped"
START_OTHER_BASE = "start-register-other-base"
STOP_OTHER_BASE = "stop-register-other-base"
READINGS_OTHER_BASE = "readings-other-base"
STOP_BELOW_READING = "stop-register-below-reading"
READING_BEFORE_START = "reading-before-start"
READING_AFTER_STOP = "reading-after-stop"
STOP_BEFORE_START = "stop-before-start"

IMPLAUSIBLE_POWER = "implausible-power"
IMPLAUSIBLE_DURATION = "implausible-duration"
IMPLAUSIBLE_ENERGY = "implausible-energy"

TOKEN_NOT_HERE = "token-not-here"  # noqa: S105  (flags)
TOKEN_UNASKED = "token-not-asked"  # noqa: S105
STOPPED_BY_OTHER = "stopped-by-other-token"

NO_TARIFF = "no-tariff"
UNPRICEABLE = "unpriceable"
NO_CONTRACT = "no-contract"
IMPLAUSIBLE_COST = "implausible-cost"
NEGATIVE_COST = "negative-cost"
CORRECTED = "corrected"
NO_RETAIL = "no-retail-tariff"
NO_REIMBURSEMENT = "no-reimbursement-tariff"

SETTLE_TIMES = "settle-times"
SETTLE_ENERGY = "settle-total-energy"
SETTLE_TIME = "settle-total-time"
SETTLE_PARKING = "settle-parking-time"
SETTLE_CURRENCY = "settle-currency"
SETTLE_COST = "settle-total-cost"
SETTLE_TOKEN = "settle-token-unknown"  # noqa: S105
SETTLE_OVERLAP = "settle-overlap"

FLAGS = {
    NO_TIME: "The station sent no readable time; the time of arrival is used.",
    CLOCK_UNSET: "The station's clock was never set; the time of arrival is used.",
    CLOCK_LOCAL: "The station marks local time as UTC; whole or half hours were taken off.",
    CLOCK_AHEAD: "The station's clock is far ahead; the time of arrival is used.",
    UNREADABLE_VALUE: "A measured value is not a number and was left out.",
    UNKNOWN_UNIT: "A measured value has a unit that does not fit its measurand and was left out.",
    UNIT_SUSPECT: "Energy and power disagree by a factor of about 1000: one of them has the wrong unit.",
    NEGATIVE_ENERGY: "The meter ran backwards; that energy counts as none.",
    REGISTER_FELL: "The meter register fell during the session; what was counted before stays counted.",
    REGISTER_DIPPED: "The meter register fell for one reading and came back; that reading was left out.",
    REGISTER_JUMPED: "The meter register rose by more than 100 kWh that could not have flowed; the step was left out.",
    START_OTHER_BASE: "The start register is on another base than the readings and was left out.",
    STOP_OTHER_BASE: "The stop register is on another base than the readings and was left out.",
    READINGS_OTHER_BASE: "Start and stop registers agree with each other but not with the readings; they count.",
    STOP_BELOW_READING: "The stop register is lower than the last reading; the stop register counts.",
    READING_BEFORE_START: "A reading is older than the start of the session.",
    READING_AFTER_STOP: "A reading is newer than the stop of the session.",
    STOP_BEFORE_START: "The stop is older than the start; the session is taken to end where it began.",
    IMPLAUSIBLE_POWER: "More than 1.5 times the power that the connector can give.",
    IMPLAUSIBLE_DURATION: "Longer than seven days.",
    IMPLAUSIBLE_ENERGY: "More than 1 MWh.",
    TOKEN_NOT_HERE: "The place is for others than the holder of this token; it was refused.",
    TOKEN_UNASKED: "The token's eMSP was to be asked and could not be: what was known of the token decided.",
    STOPPED_BY_OTHER: "A token that is neither the session's own nor of its group stopped it.",
    NO_TARIFF: "There is no tariff to price it by, or none that is valid; its CDR waits, and is made once there is one.",
    UNPRICEABLE: "What its meter said is beyond any sum of money; it has no CDR.",
    NO_CONTRACT: "Nobody knows whose token it was.",
    IMPLAUSIBLE_COST: "It costs more than 1 000 euro, or more than 50 and over 5 a kWh (or so much of another currency).",
    NEGATIVE_COST: "It costs less than nothing.",
    CORRECTED: "It stands for a CDR that was taken back.",
    NO_RETAIL: "What the driver pays is not known: the retail tariff that is named is not there, or not valid.",
    NO_REIMBURSEMENT: "What the owner gets is not known: the reimbursement tariff that is named is not there, or not valid.",
}

SETTLEMENT = {
    SETTLE_TIMES: "Its times make no sense: it ends before it begins or in the future, a period lies outside, or it counts "
    "more time than there was.",
    SETTLE_ENERGY: "The energy of its periods is not its total energy.",
    SETTLE_TIME: "The times of its periods are not its total time.",
    SETTLE_PARKING: "The parking times of its periods are not its total parking time.",
    SETTLE_CURRENCY: "Its tariff is in another currency.",
    SETTLE_COST: "Its total cost is not what its own tariff gives, by more than the smallest unit of the currency.",
    SETTLE_TOKEN: "None of our tokens has its auth_id.",
    SETTLE_OVERLAP: "Another CDR of the same auth_id at the same EVSE shares time with it.",
}
"""What was found in a CDR that a partner sent to our eMSP."""
