"""Formats of dates and times that differ from Django's, by language. FORMAT_MODULE_PATH names this package."""
