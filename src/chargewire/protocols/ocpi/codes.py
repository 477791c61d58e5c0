"""Status codes of OCPI 2.1.1 (status_codes)."""

SUCCESS = 1000
CLIENT_ERROR = 2000
INVALID_PARAMETERS = 2001
NOT_ENOUGH = 2002
UNKNOWN_LOCATION = 2003
SERVER_ERROR = 3000
UNUSABLE_API = 3001
UNSUPPORTED_VERSION = 3002
NO_MATCHING_ENDPOINTS = 3003


def is_success(code: int) -> bool:
    """Whether a code of any version says that it went well."""
    return 1000 <= code < 2000
