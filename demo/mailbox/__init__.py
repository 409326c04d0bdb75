"""The demo's mailbox: a local SMTP server that keeps what the shop sends, and pages that show it."""
