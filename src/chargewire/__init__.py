"""Chargewire: charge stations in by OCPP, their data out to those who have a right to it."""

__version__ = "0.1.0"
